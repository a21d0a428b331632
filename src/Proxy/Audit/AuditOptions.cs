using Proxy.Operations;

namespace Proxy.Audit;

/// <summary>What happens to requests while audit records cannot be written.</summary>
public enum AuditFailureMode
{
    /// <summary>Requests are answered; records that find no place are lost, counted and reported.</summary>
    Continue,

    /// <summary>Requests for data are refused with 503 until records can be written again.</summary>
    Refuse,
}

/// <summary>Settings of the audit, <c>Audit</c>; read at start. Without a folder and a syslog server there is no audit.</summary>
/// <param name="Path">The folder of the files with FHIR records; null for none.</param>
/// <param name="Syslog">The host of the syslog server; null for none.</param>
/// <param name="OnFailure">What happens while records cannot be written. Default <see cref="AuditFailureMode.Continue"/>.</param>
public sealed record AuditOptions(string? Path, string? Syslog, AuditFailureMode OnFailure)
{
    /// <summary>The port of syslog over TLS (RFC 5425 §4.1).</summary>
    public const int DefaultSyslogPort = 6514;

    /// <summary>512 MiB: about half a million records.</summary>
    public const long DefaultMaxPendingBytes = 512L << 20;

    /// <summary>256 MiB.</summary>
    public const long DefaultMaxFileBytes = 256L << 20;

    /// <summary>No audit.</summary>
    public static readonly AuditOptions None = new(null, null, AuditFailureMode.Continue);

    /// <summary>Whether there is an audit.</summary>
    public bool IsOn => Path is not null || Syslog is not null;

    /// <summary>The port of the syslog server.</summary>
    public int SyslogPort { get; init; } = DefaultSyslogPort;

    /// <summary>A PEM file with the authorities that may sign the syslog server's certificate; null for those of the system.</summary>
    public string? SyslogCaFile { get; init; }

    /// <summary>A PEM file with the certificate that the proxy presents to the syslog server; null for none.</summary>
    public string? SyslogCertificateFile { get; init; }

    /// <summary>The PEM file with the key of that certificate; null if the certificate's file contains it.</summary>
    public string? SyslogKeyFile { get; init; }

    /// <summary>The folder of the outbox. Default: <c>outbox</c> below <see cref="Path"/>.</summary>
    public string Outbox { get; init; } = "";

    /// <summary>The most bytes that may wait in the outbox.</summary>
    public long MaxPendingBytes { get; init; } = DefaultMaxPendingBytes;

    /// <summary>The size at which a file with FHIR records is followed by the next one, in bytes.</summary>
    public long MaxFileBytes { get; init; } = DefaultMaxFileBytes;

    /// <summary>The name of this proxy in its records. Default: the name of the machine.</summary>
    public string SourceId { get; init; } = Environment.MachineName;

    /// <summary>Reads the section <c>Audit</c>.</summary>
    public static AuditOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown(
            "Audit", "Path", "Syslog", "SyslogCaFile", "SyslogCertificateFile", "SyslogKeyFile", "Outbox", "MaxPendingBytes",
            "MaxFileBytes", "SourceId", "OnFailure");
        var (path, outbox) = (settings.FindText("Audit:Path"), settings.FindText("Audit:Outbox"));
        var (host, port) = ReadSyslog(settings);
        if (host is not null && path is null && outbox is null)
            settings.AddError("Audit:Outbox", null, "needed without Audit:Path: the folder in which records wait for the syslog server");
        return new(path, host, settings.ReadChoice("Audit:OnFailure", AuditFailureMode.Continue))
        {
            SyslogPort = port,
            SyslogCaFile = ReadFile(settings, "Audit:SyslogCaFile"),
            SyslogCertificateFile = ReadFile(settings, "Audit:SyslogCertificateFile"),
            SyslogKeyFile = ReadFile(settings, "Audit:SyslogKeyFile"),
            Outbox = outbox ?? (path is null ? "" : System.IO.Path.Combine(path, "outbox")),
            MaxPendingBytes = settings.ReadNumber("Audit:MaxPendingBytes", DefaultMaxPendingBytes, 1 << 16),
            MaxFileBytes = settings.ReadNumber("Audit:MaxFileBytes", DefaultMaxFileBytes, 1 << 16),
            SourceId = settings.FindText("Audit:SourceId") ?? Environment.MachineName,
        };
    }

    private static (string? Host, int Port) ReadSyslog(SettingsReader settings)
    {
        const string key = "Audit:Syslog";
        if (settings.FindText(key) is not { } text) return (null, DefaultSyslogPort);
        // A scheme makes the text a URI, which also reads IPv6 addresses in brackets.
        if (Uri.TryCreate("syslog://" + text, UriKind.Absolute, out var uri)
            && uri is { Host.Length: > 0, UserInfo: "", PathAndQuery: "/" or "" })
            return (uri.Host.Trim('[', ']'), uri.Port > 0 ? uri.Port : DefaultSyslogPort);
        settings.AddError(key, text, "host and port of a syslog server with TLS, such as audit.example.org:6514");
        return (null, DefaultSyslogPort);
    }

    private static string? ReadFile(SettingsReader settings, string key)
    {
        if (settings.FindText(key) is not { } file) return null;
        if (!File.Exists(file)) settings.AddError(key, file, "a PEM file that exists");
        return file;
    }
}
