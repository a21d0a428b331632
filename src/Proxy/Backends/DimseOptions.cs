using System.Net;
using System.Text.RegularExpressions;
using Proxy.Operations;

namespace Proxy.Backends;

/// <summary>The protocol that a PACS speaks.</summary>
public enum BackendKind
{
    /// <summary>DICOMweb (PS3.18).</summary>
    DicomWeb,

    /// <summary>DIMSE (PS3.7) over TCP (PS3.8).</summary>
    Dimse,
}

/// <summary>The transfer syntaxes in which instances are retrieved from a DIMSE backend.</summary>
public enum RetrievedSyntaxes
{
    /// <summary>As they are stored, compressed or not.</summary>
    AsStored,

    /// <summary>Uncompressed, for a PACS that fails to send compressed instances.</summary>
    Uncompressed,
}

/// <summary>How instances are retrieved from a DIMSE backend.</summary>
public enum RetrieveService
{
    /// <summary>By C-GET, or by C-MOVE if the PACS does not support C-GET and <see cref="DimseOptions.Listen"/> is set.</summary>
    Auto,

    /// <summary>By C-GET: on the association of the proxy.</summary>
    Get,

    /// <summary>By C-MOVE: the PACS connects to the proxy.</summary>
    Move,
}

/// <summary>The settings of a PACS that speaks DIMSE, in <c>Backends:{name}</c>.</summary>
/// <param name="Host">Its host name or address.</param>
/// <param name="Port">Its TCP port.</param>
/// <param name="CalledAeTitle">Its AE title: 1 to 16 characters, case-sensitive.</param>
/// <param name="CallingAeTitle">The AE title of the proxy, which the PACS must know.</param>
public sealed partial record DimseOptions(string Host, int Port, string CalledAeTitle, string CallingAeTitle)
{
    /// <summary>The keys of a DIMSE backend that a DICOMweb backend does not have.</summary>
    internal static readonly string[] Keys =
    [
        "Host", "Port", "CalledAeTitle", "CallingAeTitle", "MaxAssociations", "Syntaxes", "QueryCharacterSet",
        "AssociationTimeout", "FirstAnswerTimeout", "AnswerTimeout", "Retrieve", "Listen",
    ];

    /// <summary>The transfer syntaxes of retrieved instances.</summary>
    public RetrievedSyntaxes Syntaxes { get; init; }

    /// <summary>How instances are retrieved.</summary>
    public RetrieveService Retrieve { get; init; }

    /// <summary>
    /// Where the proxy receives instances that it retrieves by C-MOVE, such as <c>0.0.0.0:11112</c>; null where it does not. Several
    /// backends may share one address.
    /// </summary>
    public IPEndPoint? Listen { get; init; }

    /// <summary>The most associations at once; further operations wait. Default 4: old archives allow few.</summary>
    public int MaxAssociations { get; init; } = 4;

    /// <summary>
    /// The character set of the keys of a search (PS3.3 §C.12.1.1.2), such as <c>ISO_IR 100</c> for a PACS that reads every key as Latin 1.
    /// Default <c>ISO_IR 192</c>: UTF-8. A character that it does not have is sent as <c>?</c>, which matches any.
    /// </summary>
    public string QueryCharacterSet { get; init; } = "ISO_IR 192";

    /// <summary>The limit for the connection and for the answer to an association: ARTIM of PS3.8 §9.1.5. Default 10 s.</summary>
    public TimeSpan AssociationTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The limit from a request to its first answer. Default 60 s; an archive with tapes may need minutes.</summary>
    public TimeSpan FirstAnswerTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>The limit between two answers, and between two pieces of an instance. Default 30 s.</summary>
    public TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Whether the connection uses TLS (PS3.15 §B.12).</summary>
    public bool UsesTls { get; init; }

    /// <summary>The certificate with which the proxy authenticates; null for none.</summary>
    public PemFiles? Certificate { get; init; }

    /// <summary>The address as a URI, which identifies the PACS: <c>dicom://host:port/CALLED</c>.</summary>
    public Uri Address => new UriBuilder(UsesTls ? "dicoms" : "dicom", Host, Port, Uri.EscapeDataString(CalledAeTitle)).Uri;

    /// <summary>Reads the settings; errors are reported to the reader. Null when it cannot be addressed.</summary>
    internal static DimseOptions? Read(SettingsReader settings, string key)
    {
        var host = settings.FindText($"{key}:Host");
        if (host is null || Uri.CheckHostName(host) == UriHostNameType.Unknown)
            settings.AddError($"{key}:Host", host, "the host name or address of the PACS");
        var defaults = new DimseOptions(
            host ?? "invalid", (int)settings.ReadNumber($"{key}:Port", 104, 1, ushort.MaxValue),
            ReadAeTitle(settings, $"{key}:CalledAeTitle"), ReadAeTitle(settings, $"{key}:CallingAeTitle"));
        var (shortest, longest) = (TimeSpan.FromMilliseconds(100), TimeSpan.FromHours(1));
        var options = defaults with
        {
            Retrieve = settings.ReadChoice($"{key}:Retrieve", defaults.Retrieve),
            Listen = ReadListen(settings, $"{key}:Listen"),
            Syntaxes = settings.ReadChoice($"{key}:Syntaxes", defaults.Syntaxes),
            MaxAssociations = (int)settings.ReadNumber($"{key}:MaxAssociations", defaults.MaxAssociations, 1, 64),
            QueryCharacterSet = settings.FindText($"{key}:QueryCharacterSet") ?? defaults.QueryCharacterSet,
            AssociationTimeout = settings.ReadDuration($"{key}:AssociationTimeout", defaults.AssociationTimeout, shortest, longest),
            FirstAnswerTimeout = settings.ReadDuration($"{key}:FirstAnswerTimeout", defaults.FirstAnswerTimeout, shortest, longest),
            AnswerTimeout = settings.ReadDuration($"{key}:AnswerTimeout", defaults.AnswerTimeout, shortest, longest),
            UsesTls = settings.Configuration.GetSection($"{key}:Tls").GetChildren().Any(),
            Certificate = PemFiles.Read(settings, $"{key}:Tls", isRequired: false),
        };
        if (Wire.Part10.CharacterSet.FindEncoding(options.QueryCharacterSet) is null)
        {
            settings.AddError(
                $"{key}:QueryCharacterSet", options.QueryCharacterSet,
                "a defined term without code extensions, such as ISO_IR 192, ISO_IR 100 or GB18030");
        }
        if (options is { Retrieve: RetrieveService.Move, Listen: null })
        {
            settings.AddError(
                $"{key}:Listen", null, "required with Retrieve=Move: where the PACS sends the instances, such as 0.0.0.0:11112");
        }
        return host is null ? null : options;
    }

    private static IPEndPoint? ReadListen(SettingsReader settings, string key)
    {
        if (settings.FindText(key) is not { } text) return null;
        if (IPEndPoint.TryParse(text, out var address) && address.Port > 0) return address;
        settings.AddError(key, text, "an address of this machine and a port, such as 127.0.0.1:11112 or 0.0.0.0:11112");
        return null;
    }

    private static string ReadAeTitle(SettingsReader settings, string key)
    {
        var title = settings.FindText(key)?.Trim(' ') ?? "";
        if (!AeTitle().IsMatch(title)) settings.AddError(key, title, "an AE title: 1 to 16 characters of ASCII, without a backslash");
        return title;
    }

    /// <summary>PS3.5 §6.2: the default repertoire without control characters and backslash.</summary>
    [GeneratedRegex(@"^[ -\[\]-~]{1,16}$")]
    private static partial Regex AeTitle();
}
