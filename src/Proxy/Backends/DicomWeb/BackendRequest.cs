using System.Net;
using Proxy.Backends.Credentials;
using Proxy.Backends.Health;
using Proxy.Backends.Transport;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Backends.DicomWeb;

/// <summary>
/// One request to a backend: a GET, or a POST with a body. It is built from parsed values and copies no client headers: a backend
/// writes the Host of a request into its answer, which is cached for other clients.
/// </summary>
/// <param name="PathAndQuery">Relative to the backend's DICOMweb root, such as <c>studies/1.2/series?limit=5</c>.</param>
/// <param name="Accept">The Accept header.</param>
public sealed record BackendRequest(string PathAndQuery, string Accept)
{
    /// <summary>What the request fetches; null for a search without a study in its path.</summary>
    public FetchTarget? Target { get; init; }

    /// <summary>The validators of the cached copy; the backend may answer 304. Null for an unconditional request.</summary>
    public Validators? Validators { get; init; }

    /// <summary>Tells which statuses mean that the backend does not have the object. Default: 404 and 410.</summary>
    public Func<HttpStatusCode, bool> IsMissing { get; init; } = status => status is HttpStatusCode.NotFound or HttpStatusCode.Gone;

    /// <summary>The path of another root on the same server, which a test tries; null for the configured root.</summary>
    public string? RootPath { get; init; }

    /// <summary>The body of a POST; null for a GET. A request with a body is sent once: it is neither retried nor hedged.</summary>
    internal StoreContent? Body { get; init; }

    /// <summary>Tells which statuses come with an answer to read. Default: 200.</summary>
    public Func<HttpStatusCode, bool> IsAnswer { get; init; } = static status => status == HttpStatusCode.OK;

    /// <summary>The study in the path; null for none.</summary>
    public Uid? Study { get; } = FindStudy(PathAndQuery);

    /// <summary>The scope of a failure. Default: the study in the path, otherwise the backend.</summary>
    public FailureScope Scope { get; init; } = FindStudy(PathAndQuery) is null ? FailureScope.Search : FailureScope.Study;

    /// <summary>What a failure of the request is evidence against.</summary>
    public Evidence Evidence => new(Scope, Study);

    /// <summary>The object and form that a denial concerns.</summary>
    internal UnavailableObject Object => new(PathAndQuery, Accept);

    /// <summary>
    /// The path of the resource that is deleted when the backend answers 410: a study for its metadata and for the list of its series.
    /// </summary>
    internal string ResourcePath
    {
        get
        {
            var path = PathAndQuery.Split('?')[0];
            var end = path.LastIndexOf('/');
            return end > 0 && path[(end + 1)..] is "metadata" or "series" or "instances" ? path[..end] : path;
        }
    }

    /// <summary>True for an instance, its frames, or a rendering of them: objects that a backend can return in several forms.</summary>
    public bool IsObject => PathAndQuery.Split('?')[0].Split('/')
        is ["studies", _, "series", _, "instances", _] or ["studies", _, "series", _, "instances", _, "frames", _] || IsRendering;

    /// <summary>True for a rendering of an instance or a frame.</summary>
    private bool IsRendering => PathAndQuery.Split('?')[0].Split('/')
        is ["studies", _, "series", _, "instances", _, "rendered"] or ["studies", _, "series", _, "instances", _, "frames", _, "rendered"];

    /// <summary>
    /// True when the request accepts the object in any form: it names no transfer syntax, or any one of octets or files
    /// (PS3.18 §8.7.3.5.2). Any transfer syntax of an image type is still only that type.
    /// </summary>
    public bool IsAsStored => !Accept.Contains("transfer-syntax=", StringComparison.OrdinalIgnoreCase) && !IsRendering
        || MediaType.ParseList(Accept).Any(t => BodyFormat.FromMediaType(t)
            is { TransferSyntax: BodyFormat.Any, MediaType: MediaType.OctetStream or BodyFormat.Dicom });

    /// <summary>
    /// The path for the log: the standard's words, and placeholders such as <c>{study}</c> for UIDs and numbers. The query and a bulk
    /// data path may contain patient data.
    /// </summary>
    public string LogPath
    {
        get
        {
            var segments = PathAndQuery.Split('?')[0].Split('/');
            return string.Join(
                '/', segments.Select((segment, i) => GetPlaceholder(i > 0 ? segments[i - 1] : "") ?? (IsWord(segment) ? segment : "…")));
        }
    }

    internal HttpRequestMessage ToMessage(string root, Compression compression)
    {
        // Send the text unchanged: some archives do not decode escapes and need raw commas and asterisks.
        if (RootPath is not null) root = new Uri(root).GetLeftPart(UriPartial.Authority) + RootPath;
        var address = new Uri(
            $"{root.TrimEnd('/')}/{PathAndQuery}", new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true });
        var message = new HttpRequestMessage(Body is null ? HttpMethod.Get : HttpMethod.Post, address) { Content = Body };
        message.Headers.ExpectContinue = Body?.BeginHead();
        message.Options.Set(BackendPermits.PermitHeldKey, true);
        message.Options.Set(CallersToken.MayBeBareKey, Scope == FailureScope.Probe);
        message.Headers.TryAddWithoutValidation("Accept", Accept);
        message.Headers.TryAddWithoutValidation("Accept-Encoding", compression == Compression.Gzip ? "gzip" : "identity");
        if (Validators?.ETag is { } etag) message.Headers.TryAddWithoutValidation("If-None-Match", etag);
        else if (Validators?.LastModified is { } modified) message.Headers.TryAddWithoutValidation("If-Modified-Since", modified);
        return message;
    }

    private static bool IsWord(string segment) =>
        segment is "studies" or "series" or "instances" or "metadata" or "frames" or "rendered";

    private static string? GetPlaceholder(string before) => before switch
    {
        "studies" => "{study}",
        "series" => "{series}",
        "instances" => "{instance}",
        "frames" => "{frames}",
        _ => null,
    };

    private static Uid? FindStudy(string path) =>
        path.StartsWith("studies/", StringComparison.Ordinal) && Uid.TryParse(path[8..].Split('/', '?')[0], out var study) ? study : null;
}
