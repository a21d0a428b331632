using System.Net;
using Proxy.Store;

namespace Proxy.Backends;

/// <summary>
/// One thing that a backend is asked for, with GET. Made from parsed values: nothing that a client sent is copied, for a
/// backend writes its caller's Host into answers that are kept for others.
/// </summary>
/// <param name="PathAndQuery">Below the backend's DICOMweb root, such as <c>studies/1.2/series?limit=5</c>.</param>
/// <param name="Accept">The Accept header.</param>
public sealed record BackendRequest(string PathAndQuery, string Accept)
{
    /// <summary>What is kept of it already: the backend may answer that it still holds.</summary>
    public Validators? Known { get; init; }

    /// <summary>Which statuses say that the backend has it not.</summary>
    public Func<HttpStatusCode, bool> IsMissing { get; init; } = status => status is HttpStatusCode.NotFound or HttpStatusCode.Gone;

    /// <summary>UIDs, numbers and the standard's own words. The query names what is searched for, and a place of bulk data may hold anything.</summary>
    public string LogPath => string.Join('/', PathAndQuery.Split('?')[0].Split('/')
        .Select(s => s is "studies" or "series" or "instances" or "metadata" or "frames" || s.All(c => c == '.' || char.IsAsciiDigit(c)) ? s : "…"));

    internal HttpRequestMessage ToMessage(string root, Compression compression)
    {
        // The text is sent as it was made: an archive that does not decode escapes needs its commas and stars raw.
        var address = new Uri($"{root.TrimEnd('/')}/{PathAndQuery}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        var message = new HttpRequestMessage(HttpMethod.Get, address);
        message.Headers.TryAddWithoutValidation("Accept", Accept);
        message.Headers.TryAddWithoutValidation("Accept-Encoding", compression == Compression.Gzip ? "gzip" : "identity");
        if (Known?.ETag is { } etag) message.Headers.TryAddWithoutValidation("If-None-Match", etag);
        else if (Known?.LastModified is { } modified) message.Headers.TryAddWithoutValidation("If-Modified-Since", modified);
        return message;
    }
}
