using System.Net;
using Proxy.Dicom;
using Proxy.Imaging.Codecs;
using Proxy.Operations;

namespace Proxy.Retrieve;

/// <summary>Who renders pictures.</summary>
public enum RenderingSource
{
    /// <summary>The proxy, from cached frames; the backend only what the proxy cannot decode.</summary>
    Proxy,

    /// <summary>The backend; the proxy what the backend does not render.</summary>
    Backend,
}

/// <summary>How uncompressed frames are encoded for clients on slow lines.</summary>
public enum Transcoding
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>JPEG-LS Lossless: the fewest bytes.</summary>
    JpegLs,

    /// <summary>High-Throughput JPEG 2000 Lossless: faster to decode.</summary>
    Htj2k,
}

/// <summary>Settings for retrieval.</summary>
/// <param name="AllowPartial">
/// True to serve a whole study without the series that only failed backends hold. Default: false, the answer is 503.
/// </param>
/// <param name="Rendering">Who renders pictures (PS3.18 §8.3.5). Default: the proxy.</param>
/// <param name="Transcode">How uncompressed frames are encoded. Default: not at all.</param>
public sealed record RetrieveOptions(
    bool AllowPartial, RenderingSource Rendering = RenderingSource.Proxy, Transcoding Transcode = Transcoding.None)
{
    private static readonly BodyFormat JpegLs = new("image/jls", FrameEncoder.JpegLs);

    private static readonly BodyFormat Htj2k = new("image/jphc", FrameEncoder.HtJpeg2000);

    /// <summary>The networks of the clients that get transcoded frames. Default: empty, which means all clients.</summary>
    public IReadOnlyList<IPNetwork> TranscodeNetworks { get; init; } = [];

    /// <summary>The form of transcoded frames; null for none.</summary>
    public BodyFormat? Transcoded => Transcode switch
    {
        Transcoding.JpegLs => JpegLs,
        Transcoding.Htj2k => Htj2k,
        _ => null,
    };

    /// <summary>Reads the section <c>Retrieve</c>.</summary>
    public static RetrieveOptions Read(SettingsReader settings)
    {
        settings.ReportUnknown("Retrieve", "AllowPartial", "Rendering", "Transcode", "TranscodeNetworks");
        return new(
            settings.ReadFlag("Retrieve:AllowPartial", false), settings.ReadChoice("Retrieve:Rendering", RenderingSource.Proxy),
            settings.ReadChoice("Retrieve:Transcode", Transcoding.None))
        { TranscodeNetworks = settings.ReadNetworks("Retrieve:TranscodeNetworks") };
    }

    /// <summary>The form in which a client gets uncompressed frames, if it accepts that form; null for none.</summary>
    /// <param name="client">The address of the client, behind the trusted proxies.</param>
    public BodyFormat? FindTranscoded(IPAddress? client)
    {
        if (Transcoded is not { } form) return null;
        if (client is { IsIPv4MappedToIPv6: true }) client = client.MapToIPv4();
        if (TranscodeNetworks.Count > 0 && (client is null || !TranscodeNetworks.Any(network => network.Contains(client)))) return null;
        return form;
    }
}
