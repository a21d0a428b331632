using System.Net;
using Proxy.Backends.Health;
using Proxy.Backends.Transport;
using Proxy.Dicom;
using Proxy.Operations;
using Proxy.Wire;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.Model;

namespace Proxy.Backends;

/// <summary>Asks one backend one thing and reads the answer; every way to fail is a value.</summary>
/// <remarks>
/// <code>
/// 1 refuse     it failed again and again: nobody waits for it now
/// 2 send       to a destination that YARP holds for healthy; again, or to another, as Attempts allows
/// 3 read       the head within BackendOptions.Timeout, and then each piece of the body
/// 4 note       how it went: the picture that 1 is decided by, and what an operator sees
/// </code>
/// </remarks>
public sealed class BackendClient(BackendSet backends, IProxyStateLookup yarp, DestinationChoice choice, BackendStates states, TimeProvider time, ILogger<BackendClient> log)
{
    /// <summary>How long a backend may take to say that it is back.</summary>
    private static readonly TimeSpan ProbePatience = TimeSpan.FromSeconds(5);

    /// <summary>Any answer to it but an error says that the backend lives; one that does not search says 404.</summary>
    private static readonly BackendRequest Probe = new("studies?limit=1", MediaType.DicomJson);

    /// <summary>Asks and reads.</summary>
    /// <param name="backend">Whom to ask.</param>
    /// <param name="request">For what.</param>
    /// <param name="read">Reads the body of a 200; <see cref="MalformedAnswerException"/> says that it is not what was asked for.</param>
    /// <param name="cancellation">Ends the asking; the only exception that leaves is its own.</param>
    public async Task<BackendAnswer<T>> AskAsync<T>(BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<T>> read, CancellationToken cancellation)
    {
        // 1
        if (states.FindRefusal(backend.Name) is { } refusal) return new(refusal);

        var answer = await TryAskAsync(backend, request, read, cancellation);
        // The settings may have changed meanwhile: what a PACS said that is not configured any more is nobody's to keep.
        if (!backends.Has(backend)) return new(new BackendFailure(backend.Name, BackendError.Unreachable, "it is configured no more"));
        Note(backend, request, answer.Failure);
        return answer;
    }

    /// <summary>Asks a backend that is not asked for now whether it is back.</summary>
    public async Task ProbeAsync(BackendOptions backend, CancellationToken stopping)
    {
        using var patience = new CancellationTokenSource(ProbePatience, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(patience.Token, stopping);
        try
        {
            Note(backend, Probe, (await TryAskAsync(backend, Probe, static (_, _) => Task.FromResult(true), both.Token)).Failure);
        }
        catch (OperationCanceledException) when (!stopping.IsCancellationRequested)
        {
            Note(backend, Probe, new(backend.Name, BackendError.TimedOut, "no answer in time"));
        }
    }

    /// <summary>Notes that a backend was given up on, because others' answers could not wait for it any longer.</summary>
    public BackendFailure GiveUp(BackendOptions backend, BackendRequest request)
    {
        var failure = new BackendFailure(backend.Name, BackendError.TimedOut, "later than the search's deadline");
        Note(backend, request, failure);
        return failure;
    }

    // 4
    private void Note(BackendOptions backend, BackendRequest request, BackendFailure? failure)
    {
        if (failure is not null) log.BackendFailed(backend.Name, request.LogPath, failure.Error.ToString(), failure.Detail);
        if (failure?.Error != BackendError.Busy) states.Note(backend.Name, failure);
    }

    private async Task<BackendAnswer<T>> TryAskAsync<T>(BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<T>> read, CancellationToken cancellation)
    {
        BackendAnswer<T> Fail(BackendError error, string detail) => new(new BackendFailure(backend.Name, error, detail));

        using var headTimer = new CancellationTokenSource(backend.Timeout, time);
        using var headOrCancelled = CancellationTokenSource.CreateLinkedTokenSource(headTimer.Token, cancellation);
        try
        {
            // 2
            if (!yarp.TryGetCluster(backend.Name, out var cluster)) return Fail(BackendError.Unreachable, "it is not configured");
            var destinations = cluster.DestinationsState.AvailableDestinations;
            if (destinations.Count == 0) return Fail(BackendError.Unreachable, "none of its destinations is healthy");
            var tried = new List<DestinationState>();
            using var response = await states.AttemptsOf(backend.Name).SendAsync(
                destinations.Count > 1, token => choice.SendAsync(cluster, tried, root => request.ToMessage(root, backend.Compression), token), headOrCancelled.Token);
            headTimer.CancelAfter(Timeout.InfiniteTimeSpan);

            // 3
            var status = response.StatusCode;
            if (status == HttpStatusCode.NotModified && request.Known is not null) return new() { IsUnchanged = true };
            if (status == HttpStatusCode.NoContent) return default;
            if (request.IsMissing(status)) return new() { IsMissing = true };
            if (status is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden) return new(new BackendFailure(backend.Name, BackendError.Refused, $"status {(int)status}", status));
            if (status != HttpStatusCode.OK) return new(new BackendFailure(backend.Name, BackendError.BadStatus, $"status {(int)status}", status));
            await using var body = await BackendResponse.OpenAsync(response, backend, time, cancellation);
            return new(await read(body, cancellation));
        }
        catch (Exception e) when (cancellation.IsCancellationRequested && e is not OperationCanceledException)
        {
            // Whatever breaks when nobody waits any more is no fault of the backend.
            throw new OperationCanceledException("No longer waited for.", e, cancellation);
        }
        catch (MalformedAnswerException e)
        {
            return Fail(BackendError.BadAnswer, e.Message);
        }
        catch (TimeoutException e)
        {
            return Fail(BackendError.TimedOut, e.Message);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return Fail(BackendError.TimedOut, "no answer in time");
        }
        catch (BackendBusyException e)
        {
            return Fail(BackendError.Busy, e.Message);
        }
        catch (HttpRequestException e)
        {
            return Fail(e.HttpRequestError is HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded ? BackendError.BadAnswer : BackendError.Unreachable, e.HttpRequestError.ToString());
        }
        catch (HttpIOException e)
        {
            return Fail(BackendError.BadAnswer, "the body ended early: " + e.HttpRequestError);
        }
        catch (IOException)
        {
            return Fail(BackendError.BadAnswer, "the connection broke in the middle of the body");
        }
    }
}
