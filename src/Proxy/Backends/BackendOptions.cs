using System.Text.RegularExpressions;
using Proxy.Backends.Credentials;
using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>The content coding that the proxy requests from a PACS.</summary>
public enum Compression
{
    /// <summary>No compression, the default: compressing each frame takes an archive longer than sending it over a LAN.</summary>
    Identity,

    /// <summary>gzip: for a PACS behind a slow line.</summary>
    Gzip,
}

/// <summary>The settings of one PACS, <c>Backends:{name}</c>.</summary>
/// <param name="Name">The key in URLs, logs and the store: 1 to 64 letters, digits, <c>-</c> and <c>_</c>.</param>
/// <param name="Address">The DICOMweb root; the first destination's if there are several.</param>
public sealed record BackendOptions(string Name, Uri Address)
{
    /// <summary>1 GiB: fits an enhanced CT series or a tomosynthesis. The body is streamed and uses no memory.</summary>
    public const long DefaultMaxForwardedBytes = 1L << 30;

    /// <summary>The protocol of the PACS.</summary>
    public BackendKind Kind => Dimse is null ? BackendKind.DicomWeb : BackendKind.Dimse;

    /// <summary>The settings of a PACS that speaks DIMSE; null for DICOMweb.</summary>
    public DimseOptions? Dimse { get; init; }

    /// <summary>Of two backends that hold the same series, the lower value wins. Default 100.</summary>
    public int Preference { get; init; } = 100;

    /// <summary>The longest wait for the head of an answer, and for each piece of its body. Default 30 s.</summary>
    public TimeSpan Timeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>The most requests at once; further requests wait. Default 16.</summary>
    public int MaxConcurrentRequests { get; init; } = 16;

    /// <summary>The content coding to request.</summary>
    public Compression Compression { get; init; }

    /// <summary>How the proxy authenticates; null for no credential.</summary>
    public CredentialOptions? Credential { get; init; }

    /// <summary>
    /// Whether requests carry the token of their user, so that the PACS itself decides what that user may see. The same request of another
    /// user may have another answer.
    /// </summary>
    public bool ForwardsToken => Credential?.Scheme == CredentialScheme.Forward;

    /// <summary>
    /// The path of a PEM file: only the authorities in it may have issued the certificate of the PACS, and that of its token endpoint. Null
    /// for the authorities that this machine trusts.
    /// </summary>
    public string? CaFile { get; init; }

    /// <summary>Whether the PACS supports fuzzy matching. Most archives do not, and do not report it.</summary>
    public bool FuzzyMatching { get; init; }

    /// <summary>
    /// Whether requests that the proxy does not answer itself are forwarded, see <see cref="PassThrough.ForwardableRequests"/>.
    /// </summary>
    public bool Forward { get; init; }

    /// <summary>Who decides which users may see its studies; null for <c>Security:Access:Default</c>.</summary>
    public AccessMode? Access { get; init; }

    /// <summary>The largest body of a forwarded request, in bytes.</summary>
    public long MaxForwardedBytes { get; init; } = DefaultMaxForwardedBytes;

    /// <summary>The cluster settings that YARP reads and validates itself.</summary>
    internal static readonly string[] YarpKeys = [
        "Destinations", "LoadBalancingPolicy", "SessionAffinity", "HealthCheck", "HttpClient", "HttpRequest"];

    private const string NoBackend = """
        no PACS is configured. Add one in appsettings.json, config/*.json, the environment or on the command line:
            "Backends": { "east": { "Address": "http://127.0.0.1:8042/dicom-web" } }
            dotnet run --project src/Proxy -- --Backends:east:Address=http://127.0.0.1:8042/dicom-web
        """;

    /// <summary>Reads every backend; errors are reported to the reader.</summary>
    public static IReadOnlyList<BackendOptions> ReadAll(SettingsReader settings)
    {
        var names = settings.ReadNames("Backends").ToList();
        if (names.Count == 0) settings.AddError("Backends", null, NoBackend);
        return [.. names.Select(name => Read(settings, name)).OfType<BackendOptions>()];
    }

    private static BackendOptions? Read(SettingsReader settings, string name)
    {
        var key = $"Backends:{name}";
        if (!Regex.IsMatch(name, "^[A-Za-z0-9_-]{1,64}$"))
            settings.AddError(key, name, "a backend's name is 1 to 64 letters, digits, - or _");
        if (settings.ReadChoice($"{key}:Kind", BackendKind.DicomWeb) == BackendKind.Dimse) return ReadDimse(settings, name, key);
        settings.ReportUnknown(
            key,
            [
                "Address", "Kind", .. YarpKeys, "Preference", "Timeout", "MaxConcurrentRequests", "Compression", "Authentication",
                "FuzzyMatching", "Forward", "MaxForwardedBytes", "Access", "Tls",
            ]);
        var address = ReadAddress(settings, key);
        var defaults = new BackendOptions(name, address ?? new Uri("http://invalid"));
        var options = defaults with
        {
            Preference = (int)settings.ReadNumber($"{key}:Preference", defaults.Preference, 0, int.MaxValue),
            Timeout = settings.ReadDuration(
                $"{key}:Timeout", defaults.Timeout, TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1)),
            MaxConcurrentRequests = (int)settings.ReadNumber(
                $"{key}:MaxConcurrentRequests", defaults.MaxConcurrentRequests, 1, 1024),
            Compression = settings.ReadChoice($"{key}:Compression", defaults.Compression),
            Credential = CredentialOptions.Read(settings, $"{key}:Authentication"),
            CaFile = ReadDicomWebCaFile(settings, $"{key}:Tls"),
            FuzzyMatching = settings.ReadFlag($"{key}:FuzzyMatching", defaults.FuzzyMatching),
            Forward = settings.ReadFlag($"{key}:Forward", defaults.Forward),
            Access = settings.FindText($"{key}:Access") is null ? null : settings.ReadChoice($"{key}:Access", AccessMode.Policy),
            MaxForwardedBytes = settings.ReadNumber($"{key}:MaxForwardedBytes", defaults.MaxForwardedBytes, 1),
        };
        return address is null ? null : options;
    }

    private static BackendOptions? ReadDimse(SettingsReader settings, string name, string key)
    {
        settings.ReportUnknown(key, ["Kind", "Preference", "Access", "Tls", .. DimseOptions.Keys]);
        settings.ReportUnknown($"{key}:Tls", "CaFile", "Certificate", "Key", "KeyPassword", "KeyPasswordFile");
        var dimse = DimseOptions.Read(settings, key);
        var defaults = new BackendOptions(name, dimse?.Address ?? new Uri("http://invalid"));
        var options = defaults with
        {
            Dimse = dimse,
            Preference = (int)settings.ReadNumber($"{key}:Preference", defaults.Preference, 0, int.MaxValue),
            MaxConcurrentRequests = dimse?.MaxAssociations ?? defaults.MaxConcurrentRequests,
            Timeout = dimse?.AnswerTimeout ?? defaults.Timeout,
            CaFile = ReadCaFile(settings, $"{key}:Tls"),
            Access = settings.FindText($"{key}:Access") is null ? null : settings.ReadChoice($"{key}:Access", AccessMode.Policy),
        };
        return dimse is null ? null : options;
    }

    private static string? ReadDicomWebCaFile(SettingsReader settings, string key)
    {
        settings.ReportUnknown(key, "CaFile");
        return ReadCaFile(settings, key);
    }

    private static string? ReadCaFile(SettingsReader settings, string key)
    {
        if (settings.FindText($"{key}:CaFile") is not { } file) return null;
        var path = Path.GetFullPath(file);
        if (BackendTls.FindRoots(path).Count == 0)
            settings.AddError($"{key}:CaFile", file, "the path of a PEM file with certificates of authorities");
        return path;
    }

    private static Uri? ReadAddress(SettingsReader settings, string key)
    {
        var destinations = settings.ReadNames($"{key}:Destinations").Select(d => $"{key}:Destinations:{d}:Address").ToList();
        if (destinations.Count > 0 && settings.FindText($"{key}:Address") is { } both)
        {
            settings.AddError($"{key}:Address", Redact(both), "either Address or Destinations, not both");
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
                settings.AddError(
                    destination, Redact(text),
                    "an http or https URL of a DICOMweb root, without user, query or fragment, such as http://127.0.0.1:8042/dicom-web");
            }
        }
        return first;

        // The part before an @ is a user and a password.
        static string? Redact(string? text) => text?.Contains('@', StringComparison.Ordinal) == true ? "(hidden)" : text;
    }
}
