using Microsoft.AspNetCore.Http.Features;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>
/// The outermost middleware: refuses bad requests before their parameters are read, and turns exceptions into problem documents
/// that disclose nothing.
/// </summary>
internal sealed class RequestGuard(RequestDelegate next, KnownHosts hosts, ILogger<RequestGuard> log)
{
    /// <summary>The maximum size of all request headers, in bytes. Kestrel accepts more, so that a problem explains the refusal.</summary>
    public const int MaxHeaderBytes = 32 * 1024;

    /// <summary>The size of request headers above which Kestrel closes the connection, in bytes.</summary>
    public const int ServerHeaderBytes = 256 * 1024;

    /// <summary>Checks a request and passes it on.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        context.Response.SetBrowserRules();
        try
        {
            if (Refuse(context) is { } problem) await problem.ExecuteAsync(context);
            else await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client disconnected.
        }
        catch (TruncatedBodyException)
        {
            context.Abort();
        }
        catch (BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            await Problems.RequestRefused(e.StatusCode, e.Message).ExecuteAsync(context);
        }
        catch (Exception e)
        {
            log.UnhandledException(e);
            if (context.Response.HasStarted) context.Abort();
            else await Problems.InternalError().ExecuteAsync(context);
        }
    }

    private IResult? Refuse(HttpContext context)
    {
        var bytes = 0;
        foreach (var header in context.Request.Headers)
        {
            foreach (var value in header.Value) bytes += header.Key.Length + 4 + (value?.Length ?? 0);
        }
        if (bytes > MaxHeaderBytes) return Problems.HeadersTooLarge(MaxHeaderBytes);
        if (!hosts.Knows(context.Request.Host)) return Problems.Misdirected(context.Request.Host.Host);

        // The path as sent: HttpRequest.Path is already decoded and normalized.
        var path = RequestTarget.GetPath(context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "");
        var joint = RequestTarget.FindDoubleSlashBehindRoot(path);
        var isPlain = joint < 0 ? IsPlain(path) : IsPlain(path[..joint]) && IsPlain(path[(joint + 1)..]);
        if (!isPlain)
            return Problems.BadParameter(
                "path", "no empty segments, no '.' or '..' segments, no backslashes, no encoded dots, slashes or NUL characters");
        if (joint >= 0) RequestTarget.JoinRoot(context.Request);
        return null;
    }

    private static bool IsPlain(ReadOnlySpan<char> path)
    {
        // Fast path: nearly every request.
        if (!path.ContainsAny('%', '\\') && !path.Contains("//", StringComparison.Ordinal)
            && !path.Contains("/.", StringComparison.Ordinal))
            return true;
        return !path.Contains("/../", StringComparison.Ordinal) && !path.EndsWith("/..", StringComparison.Ordinal)
            && !path.Contains("//", StringComparison.Ordinal)
            && !path.Contains("/./", StringComparison.Ordinal) && !path.Contains('\\')
            && !path.Contains("%2e", StringComparison.OrdinalIgnoreCase) && !path.Contains("%2f", StringComparison.OrdinalIgnoreCase)
            && !path.Contains("%5c", StringComparison.OrdinalIgnoreCase) && !path.Contains("%00", StringComparison.Ordinal);
    }
}
