using Microsoft.AspNetCore.Http.Features;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>What every request passes first: refused before anything reads its parameters, and nothing that fails behind it shows its inside.</summary>
internal sealed class RequestGuard(RequestDelegate next, ILogger<RequestGuard> log)
{
    /// <summary>All headers of a request together, in bytes. The server itself takes more, so that the refusal can say why.</summary>
    public const int MaxHeaderBytes = 32 * 1024;

    /// <summary>What the server takes before it closes without a word.</summary>
    public const int ServerHeaderBytes = 256 * 1024;

    public async Task InvokeAsync(HttpContext context)
    {
        var headers = context.Response.Headers;
        headers.XContentTypeOptions = "nosniff";
        headers["Cross-Origin-Resource-Policy"] = "cross-origin";
        try
        {
            if (Refuse(context) is { } problem) await problem.ExecuteAsync(context);
            else await next(context);
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client hung up.
        }
        catch (BrokenBodyException)
        {
            context.Abort();
        }
        catch (BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            await Problems.BadParameter("request", e.Message).ExecuteAsync(context);
        }
        catch (Exception e)
        {
            log.RequestFailed(e);
            if (context.Response.HasStarted) context.Abort();
            else await Problems.OwnFault().ExecuteAsync(context);
        }
    }

    private static IResult? Refuse(HttpContext context)
    {
        var bytes = 0;
        foreach (var header in context.Request.Headers)
        {
            foreach (var value in header.Value) bytes += header.Key.Length + 4 + (value?.Length ?? 0);
        }
        if (bytes > MaxHeaderBytes) return Problems.HeadersTooLarge(MaxHeaderBytes);

        // The path as it was sent: the server has already folded what it understood of it.
        var target = context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "";
        var end = target.IndexOf('?', StringComparison.Ordinal);
        return IsPlain(end < 0 ? target : target.AsSpan(0, end)) ? null : Problems.BadParameter("path", "plain segments: no dots alone, no empty ones, no encoded dots, slashes or zeros");
    }

    private static bool IsPlain(ReadOnlySpan<char> path)
    {
        // Nearly every path has nothing in it that may be meant badly.
        if (!path.ContainsAny('%', '\\') && !path.Contains("//", StringComparison.Ordinal) && !path.Contains("/.", StringComparison.Ordinal)) return true;
        return !path.Contains("/../", StringComparison.Ordinal) && !path.EndsWith("/..", StringComparison.Ordinal) && !path.Contains("//", StringComparison.Ordinal)
            && !path.Contains("/./", StringComparison.Ordinal) && !path.Contains('\\')
            && !path.Contains("%2e", StringComparison.OrdinalIgnoreCase) && !path.Contains("%2f", StringComparison.OrdinalIgnoreCase)
            && !path.Contains("%5c", StringComparison.OrdinalIgnoreCase) && !path.Contains("%00", StringComparison.Ordinal);
    }
}
