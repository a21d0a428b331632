using System.Text;
using System.Text.RegularExpressions;
using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>How bodies are asked for on the way from a PACS.</summary>
public enum Compression
{
    /// <summary>As they are. The default: an archive that packs every frame anew is slower than any local line.</summary>
    Identity,

    /// <summary>With gzip: for a PACS behind a slow line.</summary>
    Gzip,
}

/// <summary>The header that the proxy shows a PACS as its own credential; never the user's.</summary>
public sealed record Credential(string Header, string Value)
{
    /// <summary>The header's name alone: the value is a secret.</summary>
    public override string ToString() => Header;
}

/// <summary>One PACS, as <c>Backends:{name}</c> configures it.</summary>
/// <param name="Name">The key: in URLs, logs and the store. Letters, digits, <c>-</c> and <c>_</c>.</param>
/// <param name="Address">The DICOMweb root; of the first destination where there are several.</param>
/// <param name="Preference">The lower wins where two backends hold the same series.</param>
/// <param name="Timeout">The longest wait for an answer's head, and between two pieces of its body.</param>
/// <param name="MaxConcurrentRequests">How many requests run at once; others wait for their turn.</param>
/// <param name="Compression">How bodies are asked for.</param>
/// <param name="Credential">What authenticates the proxy; null for none.</param>
/// <param name="FuzzyMatching">Whether it matches names fuzzily when it is asked to; most archives do not, and do not say so.</param>
/// <param name="Forward">
/// Whether requests are passed on that the proxy does not answer itself, see <see cref="PassThrough.ForwardableRequests"/>.
/// </param>
/// <param name="MaxForwardedBytes">The largest body of a request that is passed on, in bytes.</param>
public sealed record BackendOptions(
    string Name, Uri Address, int Preference, TimeSpan Timeout, int MaxConcurrentRequests,
    Compression Compression, Credential? Credential, bool FuzzyMatching, bool Forward,
    long MaxForwardedBytes = BackendOptions.DefaultMaxForwardedBytes)
{
    /// <summary>1 GiB: a series of enhanced CT or a tomosynthesis in one request. It streams through and takes no memory.</summary>
    public const long DefaultMaxForwardedBytes = 1L << 30;

    /// <summary>The schemes of <c>Authentication:Scheme</c>.</summary>
    private enum Scheme { None, Basic, Bearer, Header }

    /// <summary>YARP's own settings of a cluster, which it reads and checks itself.</summary>
    internal static readonly string[] YarpKeys = [
        "Destinations", "LoadBalancingPolicy", "SessionAffinity", "HealthCheck", "HttpClient", "HttpRequest"];

    private const string NoBackend = """
        no PACS is configured. Name one, in appsettings.json, config/*.json, the environment or on the command line:
            "Backends": { "east": { "Address": "http://127.0.0.1:8042/dicom-web" } }
            dotnet run --project src/Proxy -- --Backends:east:Address=http://127.0.0.1:8042/dicom-web
        """;

    public static IReadOnlyList<BackendOptions> ReadAll(SettingsReader settings)
    {
        var names = settings.ReadNames("Backends").ToList();
        if (names.Count == 0) settings.Fail("Backends", null, NoBackend);
        return [.. names.Select(name => Read(settings, name)).OfType<BackendOptions>()];
    }

    private static BackendOptions? Read(SettingsReader settings, string name)
    {
        var key = $"Backends:{name}";
        if (!Regex.IsMatch(name, "^[A-Za-z0-9_-]{1,64}$")) settings.Fail(key, name, "a backend's name is 1 to 64 letters, digits, - or _");
        settings.RefuseOthers(
            key,
            [
                "Address", .. YarpKeys, "Preference", "Timeout", "MaxConcurrentRequests", "Compression", "Authentication", "FuzzyMatching",
                "Forward", "MaxForwardedBytes",
            ]);
        var address = ReadAddress(settings, key);
        var options = new BackendOptions(
            name,
            address ?? new Uri("http://invalid"),
            (int)settings.ReadNumber($"{key}:Preference", 100, 0, int.MaxValue),
            settings.ReadDuration($"{key}:Timeout", TimeSpan.FromSeconds(30), TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
            (int)settings.ReadNumber($"{key}:MaxConcurrentRequests", 16, 1, 1024),
            settings.ReadChoice($"{key}:Compression", Compression.Identity),
            ReadCredential(settings, $"{key}:Authentication"),
            settings.ReadFlag($"{key}:FuzzyMatching", false),
            settings.ReadFlag($"{key}:Forward", false),
            settings.ReadNumber($"{key}:MaxForwardedBytes", DefaultMaxForwardedBytes, 1));
        return address is null ? null : options;
    }

    private static Uri? ReadAddress(SettingsReader settings, string key)
    {
        var destinations = settings.ReadNames($"{key}:Destinations").Select(d => $"{key}:Destinations:{d}:Address").ToList();
        if (destinations.Count > 0 && settings.FindText($"{key}:Address") is { } both)
        {
            settings.Fail($"{key}:Address", Shown(both), "either Address or Destinations, not both");
            return null;
        }
        if (destinations.Count == 0) destinations.Add($"{key}:Address");
        Uri? first = null;
        foreach (var destination in destinations)
        {
            var text = settings.FindText(destination);
            if (Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https" && uri.Query.Length == 0
                && uri.Fragment.Length == 0 && uri.UserInfo.Length == 0)
            {
                first ??= new Uri(uri.GetLeftPart(UriPartial.Path).TrimEnd('/'));
            }
            else
            {
                settings.Fail(
                    destination, Shown(text),
                    "an http or https address of a DICOMweb root, without user, query or fragment, such as http://127.0.0.1:8042/dicom-web");
            }
        }
        return first;

        // Before an @ stand a user and a password.
        static string? Shown(string? text) => text?.Contains('@', StringComparison.Ordinal) == true ? "(hidden)" : text;
    }

    private static Credential? ReadCredential(SettingsReader settings, string key)
    {
        settings.RefuseOthers(key, "Scheme", "User", "Password", "Token", "Name", "Value");
        switch (settings.ReadChoice($"{key}:Scheme", Scheme.None))
        {
            case Scheme.Basic:
                var user = Need("User");
                return new("Authorization", "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{Need("Password")}")));
            case Scheme.Bearer:
                return new("Authorization", "Bearer " + Need("Token"));
            case Scheme.Header:
                var name = Need("Name");
                if (name.Length > 0 && !Regex.IsMatch(name, "^[A-Za-z0-9-]+$"))
                    settings.Fail($"{key}:Name", name, "a header's name: letters, digits and -");
                return new(name, Need("Value"));
            default:
                return null;
        }

        string Need(string part)
        {
            var text = settings.FindText($"{key}:{part}") ?? "";
            if (text.Length == 0) settings.Fail($"{key}:{part}", null, "needed by this scheme");
            if (text.Any(char.IsControl)) settings.Fail($"{key}:{part}", "(hidden)", "no control characters");
            return text;
        }
    }
}
