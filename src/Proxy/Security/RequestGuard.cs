using Microsoft.AspNetCore.Http.Features;
using Proxy.Operations;

namespace Proxy.Security;

/// <summary>
/// What every request passes first: refused before anything reads its parameters, and nothing that fails behind it shows its inside.
/// </summary>
internal sealed class RequestGuard(RequestDelegate next, KnownHosts hosts, ILogger<RequestGuard> log)
{
    /// <summary>All headers of a request together, in bytes. The server itself takes more, so that the refusal can say why.</summary>
    public const int MaxHeaderBytes = 32 * 1024;

    /// <summary>What the server takes before it closes without a word.</summary>
    public const int ServerHeaderBytes = 256 * 1024;

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
            // The client hung up.
        }
        catch (BrokenBodyException)
        {
            context.Abort();
        }
        catch (BadHttpRequestException e) when (!context.Response.HasStarted)
        {
            await Problems.RequestRefused(e.StatusCode, e.Message).ExecuteAsync(context);
        }
        catch (Exception e)
        {
            log.RequestFailed(e);
            if (context.Response.HasStarted) context.Abort();
            else await Problems.OwnFault().ExecuteAsync(context);
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

        // The path as it was sent: the server has already folded what it understood of it.
        var path = RequestTarget.GetPath(context.Features.Get<IHttpRequestFeature>()?.RawTarget ?? "");
        var joint = RequestTarget.FindDoubleSlashBehindRoot(path);
        var isPlain = joint < 0 ? IsPlain(path) : IsPlain(path[..joint]) && IsPlain(path[(joint + 1)..]);
        if (!isPlain)
            return Problems.BadParameter("path", "plain segments: no dots alone, no empty ones, no encoded dots, slashes or zeros");
        if (joint >= 0) RequestTarget.JoinRoot(context.Request);
        return null;
    }

    private static bool IsPlain(ReadOnlySpan<char> path)
    {
        // Nearly every path has nothing in it that may be meant badly.
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
