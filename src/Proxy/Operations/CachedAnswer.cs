using System.Globalization;

namespace Proxy.Operations;

/// <summary>What a DICOMweb answer says about itself: its source, its age and its version. Every such answer begins here.</summary>
/// <remarks>
/// <code>
/// 1 warnings    the caller adds them; one about a failed backend forbids storing the answer (no-store)
/// 2 Begin       the headers that describe the answer; 304 if the client has this version
/// 3 body        SendAsync for one in memory; the caller writes others, after SetContent
/// </code>
/// </remarks>
/// <param name="Status">The source of the answer.</param>
internal readonly record struct CachedAnswer(CacheStatus Status)
{
    /// <summary><c>Vary</c> of an answer that has one content coding only.</summary>
    public const string ByAccept = "Accept";

    /// <summary><c>Vary</c> of an answer that may be compressed for the client.</summary>
    public const string ByAcceptAndCoding = "Accept, Accept-Encoding";

    /// <summary>On a miss: whether the answer is stored in the cache.</summary>
    public bool IsStored { get; init; } = true;

    /// <summary>On a hit: whether a prefetch stored the entry before any client requested it.</summary>
    public bool IsPrefetched { get; init; }

    /// <summary>The time since a backend gave or confirmed the answer; null while it arrives.</summary>
    public TimeSpan? Age { get; init; }

    /// <summary>The time that the backends took; null when none was asked for this answer.</summary>
    public TimeSpan? BackendTime { get; init; }

    /// <summary>The time that the cache took; null when a backend was asked for this answer.</summary>
    public TimeSpan? CacheTime { get; init; }

    /// <summary>The backend that the data comes from, for the audit; null for several or none.</summary>
    public string? Backend { get; init; }

    /// <summary>The request headers that select the representation.</summary>
    public string Vary { get; init; } = ByAccept;

    /// <summary>The entity tag; null when the answer has none.</summary>
    public string? ETag { get; init; }

    /// <summary>The tag of an equivalent answer that the client may have.</summary>
    public string? EquivalentETag { get; init; }

    /// <summary>The media type of the body.</summary>
    public string ContentType { get; init; } = "";

    /// <summary>The content coding of the body.</summary>
    public Coding Coding { get; init; }

    /// <summary>Less than this is shown as zero.</summary>
    private const double ShownMilliseconds = 0.05;

    /// <summary><c>Cache-Status</c> (RFC 9211).</summary>
    private string StatusText => Status switch
    {
        CacheStatus.Hit => IsPrefetched ? "Proxy; hit; detail=prefetched" : "Proxy; hit",
        CacheStatus.Collapsed => "Proxy; hit; collapsed",
        CacheStatus.Stale => "Proxy; fwd=stale",
        _ => IsStored ? "Proxy; fwd=miss; stored" : "Proxy; fwd=miss",
    };

    /// <summary>The source of an answer that has begun; null if it did not begin here.</summary>
    public static CacheStatus? FindStatus(HttpResponse response) => response.Headers["Cache-Status"] is [{ } text]
        ? text switch
        {
            "Proxy; hit" or "Proxy; hit; detail=prefetched" => CacheStatus.Hit,
            "Proxy; hit; collapsed" => CacheStatus.Collapsed,
            "Proxy; fwd=stale" => CacheStatus.Stale,
            "Proxy; fwd=miss" or "Proxy; fwd=miss; stored" => CacheStatus.Miss,
            _ => null,
        }
        : null;

    /// <summary>Sets the headers that describe the answer.</summary>
    /// <param name="context">The client's request, and the answer with its warnings.</param>
    /// <returns>False when the client has this version: the status is 304, and no body follows.</returns>
    public bool Begin(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers["Cache-Status"] = StatusText;
        // Whole seconds (RFC 9111 §5.1).
        if (Age is { } age) headers.Age = ((long)age.TotalSeconds).ToString(CultureInfo.InvariantCulture);
        if ((BackendTime ?? CacheTime) is { TotalMilliseconds: var milliseconds })
            headers["Server-Timing"] = BackendTime is null && milliseconds < ShownMilliseconds
                ? "cache;dur=0.0"
                : string.Create(
                    CultureInfo.InvariantCulture, $"{(BackendTime is null ? "cache" : "backend")};dur={milliseconds:F1}");
        if (headers.CacheControl.Count == 0) context.Response.SetPrivate();
        headers.Vary = Vary;
        if (Backend is not null && context.FindFeature<AccessNotes>() is { } notes) notes.Backends = [Backend];
        if (ETag is null) return true;
        var known = FindKnownTag(context.Request);
        headers.ETag = known ?? ETag;
        if (known is null) return true;
        context.Response.StatusCode = StatusCodes.Status304NotModified;
        return false;
    }

    /// <summary>Sets the type and the coding of the body.</summary>
    public void SetContent(HttpResponse response)
    {
        response.ContentType = ContentType;
        if (Coding != Coding.Identity) response.Headers.ContentEncoding = Codings.GetName(Coding);
    }

    /// <summary>Sends the body of an answer that has begun.</summary>
    /// <param name="context">The answer.</param>
    /// <param name="body">The whole body, in <see cref="Coding"/>.</param>
    public Task SendAsync(HttpContext context, ReadOnlyMemory<byte> body)
    {
        SetContent(context.Response);
        context.Response.ContentLength = body.Length;
        return context.RequestServices.GetRequiredService<ResponseSteps>().SendAsync(context, body);
    }

    /// <summary>The tag of this answer or its equivalent that the client has (RFC 9110 §13.1.2, weak comparison); null for none.</summary>
    private string? FindKnownTag(HttpRequest request)
    {
        if (request.Headers.IfNoneMatch is not { Count: > 0 } header) return null;
        var (own, other) = (RemoveWeakPrefix(ETag!), EquivalentETag is null ? null : RemoveWeakPrefix(EquivalentETag));
        var known = header.ToString().Split(',', StringSplitOptions.TrimEntries);
        if (known.Any(t => t == "*" || RemoveWeakPrefix(t) == own)) return ETag;
        return other is not null && known.Any(t => RemoveWeakPrefix(t) == other) ? EquivalentETag : null;
    }

    private static string RemoveWeakPrefix(string etag) => etag.StartsWith("W/", StringComparison.Ordinal) ? etag[2..] : etag;
}
