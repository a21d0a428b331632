using Proxy.Operations;

namespace Proxy.Identity;

/// <summary>The headers in which an authenticating gateway names the user (<c>Security:Header</c>); read at start.</summary>
/// <param name="User">The header with the user. Default <c>X-Forwarded-User</c>.</param>
/// <param name="Roles">The header with their groups, separated by commas. Default <c>X-Forwarded-Groups</c>.</param>
/// <param name="Port">The port of the listener that the gateway uses; null for the only one.</param>
public sealed record HeaderOptions(string User, string Roles, int? Port)
{
    /// <summary>Reads the section <c>Security:Header</c>.</summary>
    /// <param name="settings">The settings.</param>
    /// <param name="isUsed">Whether users authenticate in this way, so that the required settings have to be there.</param>
    public static HeaderOptions Read(SettingsReader settings, bool isUsed)
    {
        settings.ReportUnknown("Security:Header", "User", "Roles", "Listener");
        if (isUsed && settings.ReadList("Security:KnownProxies").Length == 0)
            settings.AddError("Security:KnownProxies", null, "the address of the gateway: its header is accepted from there only");
        return new(
            ReadName(settings, "Security:Header:User", "X-Forwarded-User"),
            ReadName(settings, "Security:Header:Roles", "X-Forwarded-Groups"), ReadPort(settings));
    }

    private static string ReadName(SettingsReader settings, string key, string byDefault)
    {
        if (settings.FindText(key) is not { } name) return byDefault;
        if (name.All(c => char.IsAsciiLetterOrDigit(c) || c == '-')) return name;
        settings.AddError(key, name, "the name of a header: letters, digits and -");
        return byDefault;
    }

    private static int? ReadPort(SettingsReader settings)
    {
        const string key = "Security:Header:Listener";
        if (settings.FindText(key) is not { } text) return null;
        if (Uri.TryCreate(text, UriKind.Absolute, out var url) && url.Scheme is "http" or "https") return url.Port;
        settings.AddError(key, text, "the address of a listener, such as http://10.0.0.7:8081");
        return null;
    }
}
