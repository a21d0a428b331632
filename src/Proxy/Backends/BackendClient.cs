using System.Net;
using Polly;
using Polly.Retry;
using Proxy.Operations;
using Proxy.Wire;
using Yarp.ReverseProxy;
using Yarp.ReverseProxy.LoadBalancing;
using Yarp.ReverseProxy.Model;

namespace Proxy.Backends;

/// <summary>Asks one backend one thing, with GET, and reads the answer; every way to fail is a value.</summary>
/// <remarks>
/// <para>
/// A request is made from parsed values: the destination that YARP chooses, a path of UIDs, one Accept. Nothing that a
/// client sent is copied, for a backend writes its caller's Host into answers that are kept for others.
/// </para>
/// <para>
/// Time: <see cref="BackendOptions.Timeout"/> bounds the wait for the head and for each piece of the body. A request
/// whose connection failed before anything came back is tried once more.
/// </para>
/// </remarks>
public sealed class BackendClient(IProxyStateLookup yarp, IEnumerable<ILoadBalancingPolicy> policies, BackendStates states, TimeProvider time, ILogger<BackendClient> log)
{
    private readonly Dictionary<string, ILoadBalancingPolicy> _policies = policies.ToDictionary(p => p.Name, StringComparer.OrdinalIgnoreCase);

    private readonly ResiliencePipeline<HttpResponseMessage> _retry = new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
        .AddRetry(new RetryStrategyOptions<HttpResponseMessage>
        {
            MaxRetryAttempts = 1,
            Delay = TimeSpan.FromMilliseconds(50),
            UseJitter = true,
            ShouldHandle = new PredicateBuilder<HttpResponseMessage>().Handle<HttpRequestException>(
                e => e.HttpRequestError is HttpRequestError.ConnectionError or HttpRequestError.ResponseEnded),
        })
        .Build();

    /// <summary>Asks and reads.</summary>
    /// <param name="backend">Whom to ask.</param>
    /// <param name="pathAndQuery">Below the backend's DICOMweb root, such as <c>studies/1.2/series?limit=5</c>.</param>
    /// <param name="accept">The Accept header.</param>
    /// <param name="read">Reads the body of a 200; <see cref="MalformedAnswerException"/> says that it is not what was asked for.</param>
    /// <param name="cancellation">Ends the asking; the only exception that leaves is its own.</param>
    /// <param name="isMissing">Which statuses say that the backend has it not; 404 and 410 unless something else is said.</param>
    public async Task<BackendAnswer<T>> AskAsync<T>(
        BackendOptions backend, string pathAndQuery, string accept, Func<BackendResponse, CancellationToken, Task<T>> read, CancellationToken cancellation,
        Func<HttpStatusCode, bool>? isMissing = null)
    {
        var answer = await TryAskAsync(backend, pathAndQuery, accept, read, isMissing ?? IsNotFound, cancellation);
        Note(backend, pathAndQuery, answer.Failure);
        return answer;
    }

    /// <summary>Notes that a backend was given up on, because others' answers could not wait for it any longer.</summary>
    public BackendFailure GiveUp(BackendOptions backend, string pathAndQuery)
    {
        var failure = new BackendFailure(backend.Name, BackendError.TimedOut, "later than the search's deadline");
        Note(backend, pathAndQuery, failure);
        return failure;
    }

    private void Note(BackendOptions backend, string pathAndQuery, BackendFailure? failure)
    {
        states.Note(backend.Name, failure);
        if (failure is not null) log.BackendFailed(backend.Name, PathOf(pathAndQuery), failure.Error.ToString(), failure.Detail);
    }

    private async Task<BackendAnswer<T>> TryAskAsync<T>(
        BackendOptions backend, string pathAndQuery, string accept, Func<BackendResponse, CancellationToken, Task<T>> read, Func<HttpStatusCode, bool> isMissing, CancellationToken cancellation)
    {
        BackendAnswer<T> Fail(BackendError error, string detail) => new(new BackendFailure(backend.Name, error, detail));

        using var headTimer = new CancellationTokenSource(backend.Timeout, time);
        using var headOrCancelled = CancellationTokenSource.CreateLinkedTokenSource(headTimer.Token, cancellation);
        try
        {
            if (!yarp.TryGetCluster(backend.Name, out var cluster)) return Fail(BackendError.Unreachable, "it is not configured");
            if (cluster.DestinationsState.AvailableDestinations.Count == 0) return Fail(BackendError.Unreachable, "none of its destinations is healthy");
            var tried = new List<DestinationState>();
            using var response = await _retry.ExecuteAsync(
                async token => await cluster.Model.HttpClient.SendAsync(MakeRequest(ChooseDestination(cluster, tried), backend, pathAndQuery, accept), token), headOrCancelled.Token);
            headTimer.CancelAfter(Timeout.InfiniteTimeSpan);

            // Has it? Does it say so, or that it failed?
            if (response.StatusCode == HttpStatusCode.NoContent || isMissing(response.StatusCode)) return default;
            if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden) return Fail(BackendError.Refused, $"status {(int)response.StatusCode}");
            if (response.StatusCode != HttpStatusCode.OK) return Fail(BackendError.BadStatus, $"status {(int)response.StatusCode}");

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

    /// <summary>By the backend's load balancing policy; what failed a moment ago is not chosen again while there is another.</summary>
    private DestinationState ChooseDestination(ClusterState cluster, List<DestinationState> tried)
    {
        var all = cluster.DestinationsState.AvailableDestinations;
        IReadOnlyList<DestinationState> left = tried.Count == 0 ? all : [.. all.Except(tried)];
        if (left.Count == 0) left = all;
        var policy = left.Count == 1 ? null : _policies.GetValueOrDefault(cluster.Model.Config.LoadBalancingPolicy ?? LoadBalancingPolicies.PowerOfTwoChoices);
        var chosen = policy?.PickDestination(new DefaultHttpContext(), cluster, left) ?? left[0];
        tried.Add(chosen);
        return chosen;
    }

    private static HttpRequestMessage MakeRequest(DestinationState destination, BackendOptions backend, string pathAndQuery, string accept)
    {
        // The text is sent as it was made: an archive that does not decode escapes needs its commas and stars raw.
        var address = $"{destination.Model.Config.Address.TrimEnd('/')}/{pathAndQuery}";
        var request = new HttpRequestMessage(HttpMethod.Get, new Uri(address, new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }));
        request.Headers.TryAddWithoutValidation("Accept", accept);
        request.Headers.TryAddWithoutValidation("Accept-Encoding", backend.Compression == Compression.Gzip ? "gzip" : "identity");
        return request;
    }

    private static bool IsNotFound(HttpStatusCode status) => status is HttpStatusCode.NotFound or HttpStatusCode.Gone;

    /// <summary>UIDs, numbers and the standard's own words. The query names what is searched for, and a place of bulk data may hold anything.</summary>
    private static string PathOf(string pathAndQuery) =>
        string.Join('/', pathAndQuery.Split('?')[0].Split('/').Select(s => s is "studies" or "series" or "instances" or "metadata" or "frames" || s.All(c => c == '.' || char.IsAsciiDigit(c)) ? s : "…"));
}
