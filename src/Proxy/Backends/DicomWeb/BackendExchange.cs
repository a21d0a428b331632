using System.Net;
using Proxy.Backends.Credentials;
using Proxy.Backends.Health;
using Proxy.Backends.Transport;
using Proxy.Wire;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Model;

namespace Proxy.Backends.DicomWeb;

/// <summary>Sends one request to a backend and reads the answer, regardless of the backend's health. Failures are values.</summary>
/// <remarks>
/// <code>
/// 1 wait       for a permit; this wait does not count against the backend's timeout
/// 2 send       to a destination that YARP considers healthy; retry or hedge as Attempts allows
/// 3 read       the head within BackendOptions.Timeout of the permit, then the body in pieces, each within the same timeout
/// </code>
/// </remarks>
public sealed class BackendExchange(
    IProxyStateLookup yarp, DestinationSelector choice, BackendPermits permits, BackendStates states, TimeProvider time)
{
    /// <summary>Sends a request and reads the answer.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="request">The request.</param>
    /// <param name="read">
    /// Reads the body of an answer; throws <see cref="MalformedAnswerException"/> when the body does not match the request.
    /// </param>
    /// <param name="needsPermit">False for health checks, which must pass while hanging requests hold every permit.</param>
    /// <param name="deadline">Ends the wait when a fan-out cannot wait longer; the backend then counts as late.</param>
    /// <param name="cancellation">The caller's token; its cancellation is the only exception thrown.</param>
    public async Task<BackendAnswer<T>> RunAsync<T>(
        BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<T>> read,
        bool needsPermit, CancellationToken deadline, CancellationToken cancellation)
    {
        using var both = deadline.CanBeCanceled ? CancellationTokenSource.CreateLinkedTokenSource(deadline, cancellation) : null;
        var ending = both?.Token ?? cancellation;
        using var held = new HeldPermits(permits, backend.Name, needsPermit);
        try
        {
            // 1
            await held.TakeAsync(ending);
            return await SendAsync(backend, request, read, held, ending);
        }
        catch (Exception e) when (cancellation.IsCancellationRequested)
        {
            // A failure after the caller cancelled is not the backend's.
            throw e as OperationCanceledException ?? new OperationCanceledException("The caller cancelled the request.", e, cancellation);
        }
        catch (Exception) when (request.Body?.ClientError is not null)
        {
            return Fail(BackendError.ClientFailed, "the client did not send the whole body");
        }
        catch (Exception) when (deadline.IsCancellationRequested)
        {
            return held.IsAcquired
                ? Fail(BackendError.TimedOut, "no answer by the deadline")
                : Fail(BackendError.Busy, "no permit was free before the deadline");
        }
        catch (MalformedAnswerException e)
        {
            return Fail(e.IsOtherRepresentation ? BackendError.NotInThisForm : BackendError.BadAnswer, e.Message);
        }
        catch (TimeoutException e)
        {
            return Fail(BackendError.TimedOut, e.Message);
        }
        catch (OperationCanceledException e) when (e.InnerException is TimeoutException)
        {
            // SocketsHttpHandler.ConnectTimeout has passed.
            return new(new BackendFailure(backend.Name, BackendError.Unreachable, "no connection in time") { IsConnectionFailure = true });
        }
        catch (OperationCanceledException)
        {
            return Fail(BackendError.TimedOut, "no answer in time");
        }
        catch (Exception e) when (FindFailure(backend, e) is { } failure)
        {
            return new(failure);
        }

        BackendAnswer<T> Fail(BackendError error, string detail) => new(new BackendFailure(backend.Name, error, detail));
    }

    /// <summary>The failure that an exception of the exchange means; null for one that is a defect of the proxy.</summary>
    private static BackendFailure? FindFailure(BackendOptions backend, Exception exception) => exception switch
    {
        BackendBusyException busy => new(backend.Name, BackendError.Busy, busy.Message),
        NoCredentialException without =>
            new BackendFailure(backend.Name, BackendError.Refused, without.Message) { IsOfCaller = without.IsOfCaller },
        HttpRequestException request => GetFailure(backend, request),
        HttpIOException read => new(backend.Name, BackendError.BadAnswer, "the body ended early: " + read.HttpRequestError),
        IOException => new(backend.Name, BackendError.BadAnswer, "the connection closed before the body was complete"),
        _ => null,
    };

    private async Task<BackendAnswer<T>> SendAsync<T>(
        BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<T>> read, HeldPermits held,
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
        using var headOrEnding = CancellationTokenSource.CreateLinkedTokenSource(request.Body?.Late ?? headTimer.Token, ending);
        var tried = new List<DestinationState>();
        using var response = request.Body is not null
            ? await SendOnceAsync(headOrEnding.Token)
            : await states.GetAttempts(backend.Name).SendAsync(destinations.Count > 1, SendOnceAsync, headOrEnding.Token);
        headTimer.CancelAfter(Timeout.InfiniteTimeSpan);

        // 3
        var status = response.StatusCode;
        if (status == HttpStatusCode.NotModified && request.Validators is not null) return new() { IsUnchanged = true };
        if (status == HttpStatusCode.NoContent) return default;
        if (request.IsMissing(status)) return new() { IsMissing = true, Status = HttpStatuses.Read(status) };
        if (!request.IsAnswer(status)) return new(GetFailure(backend, response));
        await using var body = await BackendResponse.OpenAsync(response, backend, time, ending);
        return new(await read(body, ending));

        ValueTask<HttpResponseMessage> SendOnceAsync(CancellationToken token) => held.SendAsync(
            sending => choice.SendAsync(cluster, tried, root => request.ToMessage(root, backend.Compression), sending), token);
    }

    private BackendFailure GetFailure(BackendOptions backend, HttpResponseMessage response)
    {
        var (status, meaning) = (response.StatusCode, HttpStatuses.Read(response.StatusCode));
        var detail = $"status {(int)status}";
        if (status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
            return new(backend.Name, BackendError.Refused, detail, meaning) { IsOfCaller = backend.ForwardsToken };
        var isOverload = status == HttpStatusCode.TooManyRequests
            || status == HttpStatusCode.ServiceUnavailable && response.Headers.NonValidated.Contains("Retry-After");
        if (!isOverload) return new(backend.Name, BackendError.BadStatus, detail, meaning);
        var retryAfter = response.Headers.RetryAfter is not { } value ? null : value.Delta ?? value.Date - time.GetUtcNow();
        return new(backend.Name, BackendError.Overloaded, detail, meaning)
        {
            RetryAfter = retryAfter > TimeSpan.Zero ? retryAfter : null,
        };
    }

    private static BackendFailure GetFailure(BackendOptions backend, HttpRequestException e) => e.HttpRequestError switch
    {
        HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded =>
            new(backend.Name, BackendError.BadAnswer, e.HttpRequestError.ToString()),
        var error => new(backend.Name, BackendError.Unreachable, ConnectionFailures.Describe(e))
        {
            IsConnectionFailure = error
                is HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError or HttpRequestError.SecureConnectionError,
        },
    };

    /// <summary>The permits of one exchange: one, and a second while a hedged request runs.</summary>
    private sealed class HeldPermits(BackendPermits permits, string backend, bool isNeeded) : IDisposable
    {
        private IDisposable? _first;
        private IDisposable? _second;
        private bool _isDisposed;
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
            lock (permits) _isDisposed = true;
            _first?.Dispose();
            _second?.Dispose();
        }

        private bool TryAdd(IDisposable permit)
        {
            lock (permits)
            {
                if (!_isDisposed && _second is null)
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
