namespace Proxy.Cli;

/// <summary>The settings as a server that is started here would read them.</summary>
/// <param name="Builder">The builder of an application with these settings.</param>
/// <param name="Settings">The settings; of a wrong one, the default.</param>
/// <param name="Errors">What is wrong.</param>
internal sealed record LocalSettings(WebApplicationBuilder Builder, Settings Settings, IReadOnlyList<string> Errors)
{
    private static readonly string[] ServerKeys = ["urls", "http_ports", "https_ports", "environment", "contentRoot"];

    /// <summary>Separates settings, such as <c>--Backends:east:Timeout=00:00:30</c>, from the words and options of a command.</summary>
    public static (string[] Words, string[] Settings) Split(IReadOnlyList<string> args)
    {
        var (words, settings) = (new List<string>(), new List<string>());
        for (var i = 0; i < args.Count; i++)
        {
            if (!IsSetting(args[i]))
            {
                words.Add(args[i]);
                continue;
            }
            settings.Add(args[i]);
            if (!args[i].Contains('=', StringComparison.Ordinal) && i + 1 < args.Count) settings.Add(args[++i]);
        }
        return ([.. words], [.. settings]);
    }

    /// <summary>Reads the settings.</summary>
    /// <param name="given">The settings on the command line.</param>
    /// <exception cref="CommandException"><c>appsettings.json</c> is not JSON.</exception>
    public static LocalSettings Read(string[] given)
    {
        if (Settings.CreateBuilder(given, out var unreadable) is not { } builder) throw new CommandException(unreadable);
        Settings.AddDefaults(builder.Configuration);
        Settings.AddFiles(builder.Configuration, builder.Environment.ContentRootPath);
        var settings = Settings.Read(builder.Configuration, out var errors);
        return new(builder, settings, errors);
    }

    private static bool IsSetting(string word)
    {
        if (!word.StartsWith("--", StringComparison.Ordinal)) return false;
        var key = word[2..].Split('=')[0];
        return key.Contains(':', StringComparison.Ordinal) || ServerKeys.Contains(key, StringComparer.Ordinal);
    }
}
