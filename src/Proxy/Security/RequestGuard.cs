using System.Buffers;
using Microsoft.AspNetCore.Http.Features;
using Proxy.Operations;
using Proxy.Operations.Telemetry;

namespace Proxy.Security;

/// <summary>
/// The outermost middleware: refuses bad requests before their parameters are read, and turns exceptions into problem documents
/// that disclose nothing. It also records each request, so that this costs no further state machine.
/// </summary>
internal sealed class RequestGuard(
    RequestDelegate next, KnownHosts hosts, RunningRequests running, RequestRecorder recorder, ILogger<RequestGuard> log)
{
    /// <summary>The maximum size of all request headers, in bytes. Kestrel accepts more, so that a problem explains the refusal.</summary>
    public const int MaxHeaderBytes = 32 * 1024;

    /// <summary>The size of request headers above which Kestrel closes the connection, in bytes.</summary>
    public const int ServerHeaderBytes = 256 * 1024;

    /// <summary>The characters of a header's name (RFC 9110 §5.6.2), and the colon of pseudo-headers.</summary>
    private static readonly SearchValues<char> NameCharacters = SearchValues.Create(
        ":!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz");

    /// <summary>Checks a request and passes it on.</summary>
    public async Task InvokeAsync(HttpContext context)
    {
        var begun = recorder.Begin(context);
        context.Response.SetBrowserRules();
        using var request = running.Begin(context);
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
        finally
        {
            recorder.Record(context, begun);
        }
    }

    private IResult? Refuse(HttpContext context)
    {
        var bytes = 0;
        foreach (var header in context.Request.Headers)
        {
            // Over HTTP/2, the server takes every name in lower case.
            if (header.Key.AsSpan().ContainsAnyExcept(NameCharacters))
                return Problems.BadParameter("headers", "a name has letters, digits and !#$%&'*+-.^_`|~ only");
            foreach (var value in header.Value) bytes += header.Key.Length + 4 + (value?.Length ?? 0);
        }
        if (bytes > MaxHeaderBytes) return Problems.HeadersTooLarge(MaxHeaderBytes);
        // RFC 9113 §8.2.2: it has no meaning there, but another server that translates the request would read it.
        if (context.Request.Headers.TransferEncoding.Count > 0 && !HttpProtocol.IsHttp11(context.Request.Protocol))
            return Problems.BadParameter("Transfer-Encoding", "HTTP/1.1 only");
        // The server takes every list that ends with "chunked", and would pass the other codings on as a part of the body.
        if (context.Request.Headers.TransferEncoding is { Count: > 0 } codings
            && !codings.ToString().Trim().Equals("chunked", StringComparison.OrdinalIgnoreCase))
        {
            // What follows this message must not be read as a request.
            context.Response.Headers.Connection = "close";
            return Problems.UnknownTransferCoding();
        }
        if (!hosts.Knows(context.Request.Host)) return Problems.Misdirected(context.Request.Host.Host);

        // The path as sent: HttpRequest.Path is already decoded and normalized.
        var path = RequestTarget.GetPath(context.FindFeature<IHttpRequestFeature>()?.RawTarget ?? "");
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

/// <summary>The requests that run now: a graceful stop waits for them, and aborts those that take too long.</summary>
internal sealed class RunningRequests : IDisposable
{
    private readonly TaskCompletionSource _idle = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _abort = new();
    private int _count;
    private bool _isDraining;

    /// <summary>The number of requests.</summary>
    public int Count => Volatile.Read(ref _count);

    /// <summary>Counts a request until it is disposed. While the proxy stops, clients are told to close their connections.</summary>
    public RunningRequest Begin(HttpContext context)
    {
        Interlocked.Increment(ref _count);
        if (Volatile.Read(ref _isDraining)) context.Response.Headers.Connection = "close";
        return new(this, _abort.Token.UnsafeRegister(static running => ((HttpContext)running!).Abort(), context));
    }

    /// <summary>The returned task completes when no request runs.</summary>
    public Task BeginDrain()
    {
        Volatile.Write(ref _isDraining, true);
        Interlocked.MemoryBarrier();
        if (Count == 0) _idle.TrySetResult();
        return _idle.Task;
    }

    /// <summary>Aborts all requests that still run.</summary>
    public Task AbortAsync() => _abort.CancelAsync();

    /// <inheritdoc/>
    public void Dispose() => _abort.Dispose();

    private void End()
    {
        if (Interlocked.Decrement(ref _count) == 0 && Volatile.Read(ref _isDraining)) _idle.TrySetResult();
    }

    /// <summary>One request; disposing of it ends it.</summary>
    public readonly struct RunningRequest(RunningRequests running, CancellationTokenRegistration abort) : IDisposable
    {
        /// <inheritdoc/>
        public void Dispose()
        {
            abort.Dispose();
            running.End();
        }
    }
}
