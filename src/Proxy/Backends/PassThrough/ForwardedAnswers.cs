using System.Net;
using System.Text;
using Proxy.Dicom;
using Proxy.Operations;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace Proxy.Backends.PassThrough;

/// <summary>Changes the answer to a forwarded request: it names no host of the PACS and runs nothing in a browser.</summary>
/// <remarks>
/// <code>
/// 1 headers   keep those of the allow-list; replace addresses of the PACS
/// 2 type      serve a type that browsers do not run, see InertBody
/// 3 error     the status in a problem document; only DICOM JSON and DICOM XML pass, as they may list failed instances
/// 4 body      buffer text and replace addresses in it; stream pixels and files unchanged
/// </code>
/// The text of an error often names paths and hosts of the PACS in words that cannot be rewritten.
/// The proxy answers 502 for text of more than <see cref="MaxTextBytes"/>, for text in a content coding, and for a multipart or
/// partial answer that contains an address: its part lengths or ranges would no longer match.
/// </remarks>
internal static class ForwardedAnswers
{
    /// <summary>The largest text that is searched for addresses, in bytes; it is buffered in memory.</summary>
    public const int MaxTextBytes = 16 * 1024 * 1024;

    /// <summary>
    /// The headers that a PACS may send to a client: those of the content, of caching, of DICOMweb (PS3.18 §8.4) and of a WebSocket. All
    /// others are removed: a PACS sets no cookie, no challenge and no policy for the proxy's origin, and does not name its parts.
    /// </summary>
    private static readonly HashSet<string> Allowed = new(StringComparer.OrdinalIgnoreCase)
    {
        "Accept-Ranges", "Age", "Allow", "Cache-Control", "Connection", "Content-Digest", "Content-Encoding", "Content-Language",
        "Content-Length", "Content-Location", "Content-MD5", "Content-Range", "Content-Type", "Date", "Digest", "ETag", "Expires",
        "Last-Modified", "Location", "Repr-Digest", "Retry-After", "Sec-WebSocket-Accept", "Sec-WebSocket-Extensions",
        "Sec-WebSocket-Protocol", "Upgrade", "Vary", "Warning",
    };

    /// <summary>Removed when the body changes, because they depend on its bytes (RFC 9530).</summary>
    private static readonly string[] Digests = ["Content-Digest", "Repr-Digest", "Digest", "Content-MD5", "ETag"];

    /// <summary>Media types that contain no text.</summary>
    private static readonly string[] BinaryTypes = [MediaType.OctetStream, BodyFormat.Dicom, "application/pdf", "application/zip"];

    public static void Add(TransformBuilderContext builder) => builder.AddResponseTransform(ChangeAsync);

    private static async ValueTask ChangeAsync(ResponseTransformContext context)
    {
        // The backend did not answer: the result is the proxy's own problem.
        if (context.ProxyResponse is not { } answer) return;
        var (request, response) = (context.HttpContext.Request, context.HttpContext.Response);
        var addresses = GetAddresses(context.HttpContext);
        ChangeHeaders(response, answer, addresses);
        if (EventChannels.IsOpening(answer))
        {
            context.HttpContext.RequestServices.GetRequiredService<EventChannels>().RecordOpening(context.HttpContext);
            return;
        }

        // An answer without a type may be text.
        var headers = answer.Content.Headers.NonValidated;
        var type = MediaType.Parse(headers.TryGetValues("Content-Type", out var named) ? named.ToString() : null);
        var served = InertBody.GetForwardedContentType(type?.Type ?? MediaType.OctetStream);
        if ((int)answer.StatusCode >= 400 && answer.Content.Headers.ContentLength != 0 && type?.Type is not (
            MediaType.DicomJson or MediaType.DicomXml))
        {
            context.SuppressResponseBody = true;
            await RefuseAsync(context.HttpContext, (int)answer.StatusCode);
            return;
        }
        var hasBody = !HttpMethods.IsHead(request.Method)
            && answer.StatusCode is not (HttpStatusCode.NoContent or HttpStatusCode.NotModified);
        if (!hasBody) return;
        if (type?.Type != served) response.ContentType = served;
        if (type is not null && IsBinary(type)) return;

        context.SuppressResponseBody = true;
        await ChangeTextAsync(context, answer, type, addresses);
    }

    /// <summary>Answers with a problem in place of the error text of the PACS.</summary>
    private static Task RefuseAsync(HttpContext context, int status)
    {
        var headers = context.Response.Headers;
        foreach (var name in headers.Keys.Where(IsOfContent).ToList()) headers.Remove(name);
        context.Response.SetBrowserRules();
        return Problems.RefusedByBackend(status, context.GetReverseProxyFeature().Cluster.Config.ClusterId).ExecuteAsync(context);

        static bool IsOfContent(string name) =>
            name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase) || Digests.Contains(name, StringComparer.OrdinalIgnoreCase)
                || name.Equals("Last-Modified", StringComparison.OrdinalIgnoreCase);
    }

    private static async Task ChangeTextAsync(
        ResponseTransformContext context, HttpResponseMessage answer, MediaType? type, BackendAddresses addresses)
    {
        var response = context.HttpContext.Response;
        var isCoded = answer.Content.Headers.ContentEncoding.Any(coding => !coding.Equals("identity", StringComparison.OrdinalIgnoreCase));
        if (isCoded)
        {
            await RefuseAsync("it has a content coding that was not requested");
            return;
        }
        if (await ReadAsync(answer, context.CancellationToken) is not { } text)
        {
            await RefuseAsync($"its text exceeds {MaxTextBytes} bytes");
            return;
        }
        // Latin-1 keeps every byte, and an address is ASCII in any supported character set.
        var changed = addresses.Rewrite(text);
        if (!ReferenceEquals(changed, text))
        {
            if (type?.Is(MediaType.MultipartRelated) == true || answer.StatusCode == HttpStatusCode.PartialContent)
            {
                await RefuseAsync("a multipart or partial body contains an address of the PACS");
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
            return Problems.BadGateway($"The answer of the PACS cannot be forwarded: {reason}.").ExecuteAsync(context.HttpContext);
        }
    }

    private static void ChangeHeaders(HttpResponse response, HttpResponseMessage answer, BackendAddresses addresses)
    {
        foreach (var (name, values) in response.Headers.ToList())
        {
            var isOfBackend = answer.Headers.NonValidated.Contains(name) || answer.Content.Headers.NonValidated.Contains(name);
            if (isOfBackend && !Allowed.Contains(name))
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

    private static BackendAddresses GetAddresses(HttpContext context)
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

    /// <summary>Reads the body as Latin-1; null when it is too large.</summary>
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
