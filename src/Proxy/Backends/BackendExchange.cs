using System.Net;
using Proxy.Backends.Health;
using Proxy.Backends.Transport;
using Proxy.Wire;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Model;

namespace Proxy.Backends;

/// <summary>
/// Sends one request to a backend and reads its answer, without regard of the backend's health; every way to fail is a value.
/// </summary>
/// <remarks>
/// <code>
/// 1 wait       for a permit: the wait is the proxy's own, and no time-out of the backend
/// 2 send       to a destination that YARP holds for healthy; again, or to another, as Attempts allows
/// 3 read       the head within BackendOptions.Timeout of the permit, and then each piece of the body
/// </code>
/// </remarks>
public sealed class BackendExchange(
    IProxyStateLookup yarp, DestinationChoice choice, BackendPermits permits, BackendStates states, TimeProvider time)
{
    /// <summary>Sends and reads.</summary>
    /// <param name="backend">Where to.</param>
    /// <param name="request">What is asked.</param>
    /// <param name="read">Reads the body of a 200; <see cref="MalformedAnswerException"/> says that it is not what was asked for.</param>
    /// <param name="needsPermit">
    /// False for the proxy's health checks: they must get through when requests that hang hold all permits.
    /// </param>
    /// <param name="deadline">When others' answers can wait no longer: the backend is late then.</param>
    /// <param name="cancellation">The caller leaves; the only exception that this throws is its own.</param>
    public async Task<BackendAnswer<T>> RunAsync<T>(
        BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<T>> read,
        bool needsPermit, CancellationToken deadline, CancellationToken cancellation)
    {
        using var both = deadline.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(deadline, cancellation) : null;
        var ending = both?.Token ?? cancellation;
        using var held = new Held(permits, backend.Name, needsPermit);
        try
        {
            // 1
            await held.TakeAsync(ending);
            return await SendAsync(backend, request, read, held, ending);
        }
        catch (Exception e) when (cancellation.IsCancellationRequested)
        {
            // What breaks when the caller has left is no fault of the backend.
            throw e as OperationCanceledException ?? new OperationCanceledException("The caller left.", e, cancellation);
        }
        catch (Exception) when (deadline.IsCancellationRequested)
        {
            return held.IsAcquired
                ? Fail(BackendError.TimedOut, "no answer by the deadline")
                : Fail(BackendError.Busy, "its other requests took longer than the deadline");
        }
        catch (MalformedAnswerException e)
        {
            return Fail(e.IsOtherForm ? BackendError.NotInThisForm : BackendError.BadAnswer, e.Message);
        }
        catch (TimeoutException e)
        {
            return Fail(BackendError.TimedOut, e.Message);
        }
        catch (OperationCanceledException e) when (e.InnerException is TimeoutException)
        {
            // SocketsHttpHandler.ConnectTimeout.
            return new(new BackendFailure(backend.Name, BackendError.Unreachable, "no connection in time") { IsConnectionFailure = true });
        }
        catch (OperationCanceledException)
        {
            return Fail(BackendError.TimedOut, "no answer in time");
        }
        catch (BackendBusyException e)
        {
            return Fail(BackendError.Busy, e.Message);
        }
        catch (HttpRequestException e)
        {
            return new(GetFailure(backend, e));
        }
        catch (HttpIOException e)
        {
            return Fail(BackendError.BadAnswer, "the body ended early: " + e.HttpRequestError);
        }
        catch (IOException)
        {
            return Fail(BackendError.BadAnswer, "the connection broke in the middle of the body");
        }

        BackendAnswer<T> Fail(BackendError error, string detail) => new(new BackendFailure(backend.Name, error, detail));
    }

    private async Task<BackendAnswer<T>> SendAsync<T>(
        BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<T>> read, Held held,
        CancellationToken ending)
    {
        if (!yarp.TryGetCluster(backend.Name, out var cluster))
            return new(new BackendFailure(backend.Name, BackendError.Unreachable, "it is not configured"));
        var destinations = cluster.DestinationsState.AvailableDestinations;
        if (destinations.Count == 0)
        {
            return new(new BackendFailure(backend.Name, BackendError.Unreachable, "none of its destinations is healthy")
            {
                IsConnectionFailure = true,
            });
        }

        // 2
        using var headTimer = new CancellationTokenSource(backend.Timeout, time);
        using var headOrEnding = CancellationTokenSource.CreateLinkedTokenSource(headTimer.Token, ending);
        var tried = new List<DestinationState>();
        using var response = await states.GetAttempts(backend.Name).SendAsync(
            destinations.Count > 1,
            token => held.SendAsync(t => choice.SendAsync(cluster, tried, root => request.ToMessage(root, backend.Compression), t), token),
            headOrEnding.Token);
        headTimer.CancelAfter(Timeout.InfiniteTimeSpan);

        // 3
        var status = response.StatusCode;
        if (status == HttpStatusCode.NotModified && request.Known is not null) return new() { IsUnchanged = true };
        if (status == HttpStatusCode.NoContent) return default;
        if (request.IsMissing(status)) return new() { IsMissing = true, Status = status };
        if (status != HttpStatusCode.OK) return new(GetFailure(backend, response));
        await using var body = await BackendResponse.OpenAsync(response, backend, time, ending);
        return new(await read(body, ending));
    }

    private BackendFailure GetFailure(BackendOptions backend, HttpResponseMessage response)
    {
        var status = response.StatusCode;
        var detail = $"status {(int)status}";
        if (status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
            return new(backend.Name, BackendError.Refused, detail, status);
        var isOverload = status == HttpStatusCode.TooManyRequests
            || status == HttpStatusCode.ServiceUnavailable && response.Headers.NonValidated.Contains("Retry-After");
        if (!isOverload) return new(backend.Name, BackendError.BadStatus, detail, status);
        var retryAfter = response.Headers.RetryAfter is not { } value ? null : value.Delta ?? value.Date - time.GetUtcNow();
        return new(backend.Name, BackendError.Overloaded, detail, status)
        {
            RetryAfter = retryAfter > TimeSpan.Zero ? retryAfter : null,
        };
    }

    private static BackendFailure GetFailure(BackendOptions backend, HttpRequestException e) => e.HttpRequestError switch
    {
        HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded =>
            new(backend.Name, BackendError.BadAnswer, e.HttpRequestError.ToString()),
        var error => new(backend.Name, BackendError.Unreachable, error.ToString())
        {
            IsConnectionFailure = error
                is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
        },
    };

    /// <summary>The permits of one exchange: one, and another while a second destination is asked beside the first.</summary>
    private sealed class Held(BackendPermits permits, string backend, bool isNeeded) : IDisposable
    {
        private IDisposable? _first;
        private IDisposable? _second;
        private bool _isOver;
        private int _running;

        public bool IsAcquired { get; private set; }

        public async ValueTask TakeAsync(CancellationToken cancellation)
        {
            if (isNeeded) _first = await permits.AcquireAsync(backend, cancellation);
            IsAcquired = true;
        }

        public async ValueTask<HttpResponseMessage> SendAsync(
            Func<CancellationToken, ValueTask<HttpResponseMessage>> send, CancellationToken cancellation)
        {
            try
            {
                if (Interlocked.Increment(ref _running) > 1 && isNeeded)
                {
                    var another = await permits.AcquireAsync(backend, cancellation);
                    if (!TryAdd(another)) throw new OperationCanceledException("The exchange is over.", cancellation);
                }
                return await send(cancellation);
            }
            catch
            {
                Interlocked.Decrement(ref _running);
                throw;
            }
        }

        public void Dispose()
        {
            lock (permits) _isOver = true;
            _first?.Dispose();
            _second?.Dispose();
        }

        private bool TryAdd(IDisposable permit)
        {
            lock (permits)
            {
                if (!_isOver && _second is null)
                {
                    _second = permit;
                    return true;
                }
            }
            permit.Dispose();
            return false;
        }
    }
}
