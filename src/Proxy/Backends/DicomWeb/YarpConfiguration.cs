using System.Globalization;
using Proxy.Backends.PassThrough;

namespace Proxy.Backends.DicomWeb;

/// <summary>Presents each backend to YARP as a cluster, in YARP's own schema.</summary>
/// <remarks>
/// <code>
/// Backends:east:Address            →  Clusters:east:Destinations:address:Address
/// Backends:east:HealthCheck:…      →  Clusters:east:HealthCheck:…           (and the other parts of YARP's schema)
/// Backends:east:Forward = true     →  Routes:east-0 …, one for each of ForwardableRequests below /backends/east/dicomweb
/// </code>
/// </remarks>
/// <param name="settings">All settings.</param>
internal sealed class YarpConfiguration(IConfiguration settings) : ConfigurationProvider, IConfigurationSource
{
    /// <summary>The client headers that are forwarded; all others, such as cookies and credentials, are dropped.</summary>
    private const string ForwardedHeaders =
        "Accept;Accept-Charset;Content-Type;Content-Length;Content-Encoding;If-Match;If-None-Match;If-Modified-Since;Range";

    /// <summary>The headers of a WebSocket handshake (RFC 6455 §4.1), except the page's origin, which the proxy has checked.</summary>
    private const string ChannelHeaders = ";Sec-WebSocket-Key;Sec-WebSocket-Version;Sec-WebSocket-Protocol;Sec-WebSocket-Extensions";

    public IConfigurationProvider Build(IConfigurationBuilder builder) => this;

    /// <summary>Presents the settings as they are now; called for valid settings only.</summary>
    public void Reload()
    {
        Load();
        OnReload();
    }

    public override void Load()
    {
        var data = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase);
        foreach (var backend in settings.GetSection("Backends").GetChildren())
        {
            // A PACS that speaks DIMSE has no requests to forward.
            if (nameof(BackendKind.Dimse).Equals(backend["Kind"], StringComparison.OrdinalIgnoreCase)) continue;
            var cluster = $"Clusters:{backend.Key}";
            if (backend["Address"] is { } address) data[$"{cluster}:Destinations:address:Address"] = address;
            foreach (var key in BackendOptions.YarpKeys)
            {
                if (backend[key] is { } single) data[$"{cluster}:{key}"] = single;
                foreach (var (path, value) in backend.GetSection(key).AsEnumerable(makePathsRelative: true))
                {
                    if (value is not null) data[$"{cluster}:{key}:{path}"] = value;
                }
            }
            // YARP creates a new HTTP handler when the metadata changes.
            data[$"{cluster}:Metadata:MaxConcurrentRequests"] = backend["MaxConcurrentRequests"];
            data[$"{cluster}:Metadata:Timeout"] = backend["Timeout"];
            data[$"{cluster}:Metadata:CaFile"] = backend["Tls:CaFile"];
            if (!bool.TryParse(backend["Forward"], out var forward) || !forward) continue;
            foreach (var (i, request) in ForwardableRequests.All.Index()) AddRoute(data, backend, $"Routes:{backend.Key}-{i}", request);
        }
        Data = data;
    }

    private static void AddRoute(
        Dictionary<string, string?> data, IConfigurationSection backend, string route, ForwardableRequests.Request request)
    {
        var prefix = $"/backends/{backend.Key}/dicomweb";
        data[$"{route}:ClusterId"] = backend.Key;
        data[$"{route}:Order"] = 1000.ToString(CultureInfo.InvariantCulture);
        data[$"{route}:Match:Path"] = $"{prefix}/{request.Template}";
        for (var i = 0; i < request.Methods.Length; i++) data[$"{route}:Match:Methods:{i}"] = request.Methods[i];
        if (request.IsChannel) data[$"{route}:Metadata:{EventChannels.Marker}"] = "true";
        data[$"{route}:MaxRequestBodySize"] =
            backend[nameof(BackendOptions.MaxForwardedBytes)]
                ?? BackendOptions.DefaultMaxForwardedBytes.ToString(CultureInfo.InvariantCulture);
        (string Key, string Value)[] transforms =
            [
                ("PathRemovePrefix", prefix),
                ("RequestHeadersAllowed", request.IsChannel ? ForwardedHeaders + ChannelHeaders : ForwardedHeaders),
                ("X-Forwarded", "Off"),
                ("ResponseTrailersCopy", "false"),
            ];
        for (var i = 0; i < transforms.Length; i++) data[$"{route}:Transforms:{i}:{transforms[i].Key}"] = transforms[i].Value;
    }
}
