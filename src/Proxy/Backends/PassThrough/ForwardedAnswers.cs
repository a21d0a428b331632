using System.Net;
using System.Text;
using Proxy.Dicom;
using Proxy.Operations;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace Proxy.Backends.PassThrough;

/// <summary>What is changed in the answer to a forwarded request: it names no host of the PACS, and runs nothing in a browser.</summary>
/// <remarks>
/// <code>
/// 1 headers   those that speak to a browser about the origin go; addresses of the PACS become the proxy's
/// 2 type      one that browsers do not run, see InertBody
/// 3 body      text is read whole and its addresses become the proxy's; pixels and files stream through as they are
/// </code>
/// Text of more than <see cref="MaxTextBytes"/>, text in a content coding, and a multipart or partial answer with an address
/// in it (lengths of their parts stand in it) cannot be changed and are refused with 502.
/// </remarks>
internal static class ForwardedAnswers
{
    /// <summary>The largest text that is searched for addresses, in bytes; it is in memory meanwhile.</summary>
    public const int MaxTextBytes = 16 * 1024 * 1024;

    /// <summary>A PACS decides nothing about the proxy's origin; <c>Access-Control-</c> and <c>Cross-Origin-</c> headers go too.</summary>
    private static readonly string[] OriginHeaders =
    [
        "Set-Cookie", "Server", "X-Powered-By", "Clear-Site-Data", "Service-Worker-Allowed", "Refresh", "Strict-Transport-Security",
        "Alt-Svc", "X-Frame-Options", "Content-Security-Policy-Report-Only", "Report-To", "Reporting-Endpoints", "NEL", "SourceMap",
        "Timing-Allow-Origin",
    ];

    /// <summary>What holds for the bytes of a body alone (RFC 9530): gone when the body is changed.</summary>
    private static readonly string[] Digests = ["Content-Digest", "Repr-Digest", "Digest", "Content-MD5", "ETag"];

    /// <summary>Types without text in them.</summary>
    private static readonly string[] BinaryTypes = [MediaType.OctetStream, BodyFormat.Dicom, "application/pdf", "application/zip"];

    public static void Add(TransformBuilderContext builder) => builder.AddResponseTransform(ChangeAsync);

    private static async ValueTask ChangeAsync(ResponseTransformContext context)
    {
        // The backend did not answer: what the client gets is the proxy's own.
        if (context.ProxyResponse is not { } answer) return;
        var (request, response) = (context.HttpContext.Request, context.HttpContext.Response);
        var addresses = AddressesFor(context.HttpContext);
        ChangeHeaders(response, addresses);

        // Without a type it might be anything, and nothing says that it is not text.
        var headers = answer.Content.Headers.NonValidated;
        var type = MediaType.Parse(headers.TryGetValues("Content-Type", out var named) ? named.ToString() : null);
        var served = InertBody.TypeOfForwarded(type?.Type ?? MediaType.OctetStream);
        var hasBody = !HttpMethods.IsHead(request.Method)
            && answer.StatusCode is not (HttpStatusCode.NoContent or HttpStatusCode.NotModified);
        if (!hasBody) return;
        if (type?.Type != served) response.ContentType = served;
        if (type is not null && IsBinary(type)) return;

        context.SuppressResponseBody = true;
        await ChangeTextAsync(context, answer, type, addresses);
    }

    private static async Task ChangeTextAsync(
        ResponseTransformContext context, HttpResponseMessage answer, MediaType? type, BackendAddresses addresses)
    {
        var response = context.HttpContext.Response;
        var isCoded = answer.Content.Headers.ContentEncoding.Any(coding => !coding.Equals("identity", StringComparison.OrdinalIgnoreCase));
        if (isCoded)
        {
            await RefuseAsync("it is in a content coding that was not asked for");
            return;
        }
        if (await ReadAsync(answer, context.CancellationToken) is not { } text)
        {
            await RefuseAsync($"it is text of more than {MaxTextBytes} bytes");
            return;
        }
        // Byte for byte: whatever the character set is, an address is ASCII.
        var changed = addresses.Rewrite(text);
        if (!ReferenceEquals(changed, text))
        {
            if (type?.Is(MediaType.MultipartRelated) == true || answer.StatusCode == HttpStatusCode.PartialContent)
            {
                await RefuseAsync("its parts name an address of the PACS");
                return;
            }
            foreach (var digest in Digests) response.Headers.Remove(digest);
        }
        var bytes = Encoding.Latin1.GetBytes(changed);
        response.ContentLength = bytes.Length;
        await response.Body.WriteAsync(bytes, context.CancellationToken);

        Task RefuseAsync(string reason)
        {
            response.Clear();
            response.SetBrowserRules();
            return Problems.BadGateway($"The answer of the PACS cannot be passed on: {reason}.").ExecuteAsync(context.HttpContext);
        }
    }

    private static void ChangeHeaders(HttpResponse response, BackendAddresses addresses)
    {
        foreach (var (name, values) in response.Headers.ToList())
        {
            if (SpeaksOfTheOrigin(name))
            {
                response.Headers.Remove(name);
                continue;
            }
            string?[] changed = [.. values.Select(value => value is null ? null : addresses.Rewrite(value))];
            if (!changed.SequenceEqual(values)) response.Headers[name] = changed;
        }
        response.SetBrowserRules();
        response.SetInert();
    }

    private static bool SpeaksOfTheOrigin(string header) =>
        OriginHeaders.Contains(header, StringComparer.OrdinalIgnoreCase)
        || header.StartsWith("Access-Control-", StringComparison.OrdinalIgnoreCase)
        || header.StartsWith("Cross-Origin-", StringComparison.OrdinalIgnoreCase);

    private static BackendAddresses AddressesFor(HttpContext context)
    {
        var cluster = context.GetReverseProxyFeature().Cluster.Config;
        var destinations = cluster.Destinations?.Values.Select(d => new Uri(d.Address)) ?? [];
        var root = $"{context.Request.GetAddress()}/backends/{cluster.ClusterId}/dicomweb";
        return new(destinations, root, context.Request.Host.ToUriComponent());
    }

    private static bool IsBinary(MediaType type)
    {
        if (BinaryTypes.Contains(type.Type)) return true;
        if (InertBody.GetContentType(type.Type) == type.Type) return !type.Type.StartsWith("text/", StringComparison.Ordinal);
        var part = type.Is(MediaType.MultipartRelated) ? MediaType.Parse(type.Find("type")) : null;
        return part?.Is(MediaType.MultipartRelated) == false && IsBinary(part);
    }

    /// <summary>Null when it is too large.</summary>
    private static async Task<string?> ReadAsync(HttpResponseMessage answer, CancellationToken cancellation)
    {
        using var text = new MemoryStream();
        await using var body = await answer.Content.ReadAsStreamAsync(cancellation);
        var piece = new byte[64 * 1024];
        for (int count; (count = await body.ReadAsync(piece, cancellation)) > 0;)
        {
            if (text.Length + count > MaxTextBytes) return null;
            text.Write(piece, 0, count);
        }
        return Encoding.Latin1.GetString(text.GetBuffer(), 0, (int)text.Length);
    }
}
