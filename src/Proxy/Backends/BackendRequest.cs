using System.Net;
using Proxy.Backends.Transport;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Backends;

/// <summary>What the failure of a request is evidence of.</summary>
public enum FailureScope
{
    /// <summary>A search over all studies: its failure speaks for the backend.</summary>
    Search,

    /// <summary>
    /// Something of one study: its failure speaks for that object, and for the backend only with failures of other studies.
    /// </summary>
    Study,

    /// <summary>A path that the proxy passes on unread.</summary>
    Forwarded,

    /// <summary>Read-ahead and prefetch: no client asked for it, and its failure is no evidence; after some a probe is sent.</summary>
    Nothing,

    /// <summary>The proxy's own health check: it decides.</summary>
    Probe,
}

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

    /// <summary>The study that the path names; null when it names none.</summary>
    public Uid? Study { get; } = FindStudy(PathAndQuery);

    /// <summary>What its failure is evidence of. By default: its study, or the backend where it names no study.</summary>
    public FailureScope Scope { get; init; } = FindStudy(PathAndQuery) is null ? FailureScope.Search : FailureScope.Study;

    /// <summary>Whether it asks for one object that has several forms: an instance or frames of it.</summary>
    public bool IsObject => PathAndQuery.Split('?')[0].Split('/')
        is ["studies", _, "series", _, "instances", _] or ["studies", _, "series", _, "instances", _, "frames", _];

    /// <summary>Whether it asks for an object as it is stored: no transfer syntax is named, or any will do (PS3.18 §8.7.3.5.2).</summary>
    public bool IsAsStored => !Accept.Contains("transfer-syntax=", StringComparison.OrdinalIgnoreCase)
        || Accept.Contains("transfer-syntax=*", StringComparison.OrdinalIgnoreCase)
            || Accept.Contains("transfer-syntax=\"*\"", StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// UIDs, numbers and the standard's own words. The query names what is searched for, and a place of bulk data may hold anything.
    /// </summary>
    public string LogPath => string.Join('/', PathAndQuery.Split('?')[0].Split('/')
        .Select(s => s is "studies" or "series" or "instances" or "metadata" or "frames" || s.All(
            c => c == '.' || char.IsAsciiDigit(c)) ? s : "…"));

    internal HttpRequestMessage ToMessage(string root, Compression compression)
    {
        // The text is sent as it was made: an archive that does not decode escapes needs its commas and stars raw.
        var address = new Uri(
            $"{root.TrimEnd('/')}/{PathAndQuery}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        var message = new HttpRequestMessage(HttpMethod.Get, address);
        message.Options.Set(BackendPermits.IsHeld, true);
        message.Headers.TryAddWithoutValidation("Accept", Accept);
        message.Headers.TryAddWithoutValidation("Accept-Encoding", compression == Compression.Gzip ? "gzip" : "identity");
        if (Known?.ETag is { } etag) message.Headers.TryAddWithoutValidation("If-None-Match", etag);
        else if (Known?.LastModified is { } modified) message.Headers.TryAddWithoutValidation("If-Modified-Since", modified);
        return message;
    }

    private static Uid? FindStudy(string path) =>
        path.StartsWith("studies/", StringComparison.Ordinal) && Uid.TryParse(path[8..].Split('/', '?')[0], out var study) ? study : null;
}
