using System.Net;
using Proxy.Backends.Health;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Backends.DicomWeb;

/// <summary>Sends one request to one backend, subject to the backend's health, and reads the answer. Failures are values.</summary>
/// <remarks>
/// <code>
/// 1 refuse     the circuit is open, or the backend denied this object recently: send nothing
/// 2 ask        one exchange; a foreground request pauses prefetching on this backend
/// 3 classify   an object fails while searches succeed: the object is unavailable and the backend is healthy
/// 4 record     the outcome, for step 1 and for the operator
/// </code>
/// </remarks>
public sealed class BackendClient(
    BackendSet backends, BackendExchange exchange, BackendStates states, BackendScheduler scheduler, TimeProvider time,
    ILogger<BackendClient> log)
    : IDisposable
{
    /// <summary>The time limit of a health check.</summary>
    private static readonly TimeSpan ProbeTimeout = TimeSpan.FromSeconds(5);

    /// <summary>Any answer but an error proves that the backend is up; a backend without search answers 404.</summary>
    private static readonly BackendRequest Probe = new("studies?limit=1", MediaType.DicomJson) { Scope = FailureScope.Probe };

    /// <summary>
    /// The health check of a backend to which the user's token is forwarded: the proxy itself has none. That it refuses a request without a
    /// token also proves that it is up.
    /// </summary>
    private static readonly BackendRequest BareProbe = Probe with
    {
        IsAnswer = static status => status is HttpStatusCode.OK or HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden,
    };

    /// <summary>The same request as an ordinary search: only a list of studies counts as success.</summary>
    private static readonly BackendRequest SearchCheck = Probe with { Scope = FailureScope.Search };

    private readonly UnavailableObjects _unavailable = new(time);

    /// <summary>Resources that a backend said were deleted (410), for as long as a denial counts.</summary>
    private readonly UnavailableObjects _deleted = new(time);
    private readonly FailureLog _failures = new(time, log);
    private readonly Dictionary<string, Task<bool>> _searchChecks = [];

    /// <summary>Sends a request and reads the answer, limited by the backend's own timeouts alone.</summary>
    public Task<BackendAnswer<T>> AskAsync<T>(
        BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<T>> read,
        CancellationToken cancellation) =>
        AskAsync(backend, request, read, CancellationToken.None, cancellation);

    /// <summary>Sends a request and reads the answer.</summary>
    /// <param name="backend">The backend.</param>
    /// <param name="request">The request.</param>
    /// <param name="read">
    /// Reads the body of an answer; throws <see cref="MalformedAnswerException"/> when the body does not match the request.
    /// </param>
    /// <param name="deadline">Ends the wait when a fan-out cannot wait longer; the backend then counts as late.</param>
    /// <param name="cancellation">The caller's token; its cancellation is the only exception thrown.</param>
    public async Task<BackendAnswer<T>> AskAsync<T>(
        BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<T>> read,
        CancellationToken deadline, CancellationToken cancellation)
    {
        if (CurrentPurpose.Value == RequestPurpose.Prefetch) request = request with { Scope = FailureScope.Prefetch };

        // 1
        if (states.FindRefusal(backend.Name) is { } refusal) return new(refusal);
        if (request.IsObject && _unavailable.Find(backend.Name, request.Object) is { } denial)
            return denial.Failure is { } known ? new(known) : new() { IsMissing = true };

        // 2
        using var waiting = scheduler.BeginForeground(backend.Name, request.Target);
        var answer = await exchange.RunAsync(backend, request, read, needsPermit: true, deadline, cancellation);
        // The settings may have changed meanwhile: discard the answer of a PACS that is no longer configured.
        if (!backends.Has(backend))
            return new(new BackendFailure(backend.Name, BackendError.Unreachable, "it is no longer configured"));

        // 3
        if (request.IsObject && await FindDenialAsync(backend, request, answer.Failure, answer.Status, cancellation) is { } denied)
        {
            _unavailable.Add(backend.Name, request.Object, denied.Failure);
            if (denied.Failure is { } failure) answer = new(failure);
        }
        if (answer.Status == ErrorStatus.Gone) _deleted.Add(backend.Name, new(request.ResourcePath, ""), null);
        Record(backend, request, answer.Failure, answer.IsMissing);
        return answer;
    }

    /// <summary>
    /// True when the backend has just said that the resource, or a resource that contains it, was deleted.
    /// </summary>
    /// <param name="backend">The backend's name.</param>
    /// <param name="path">The path of the resource below a DICOMweb root.</param>
    public bool HasDeleted(string backend, string path)
    {
        for (var end = path.Length; end > 0; end = path.LastIndexOf('/', end - 1))
        {
            if (_deleted.Find(backend, new(path[..end], "")) is not null) return true;
        }
        return false;
    }

    /// <summary>Sends a health check: it opens the circuit of a suspect backend and closes the circuit of a recovered one.</summary>
    public Task ProbeAsync(BackendOptions backend, CancellationToken stopping) =>
        CheckAsync(backend, backend.ForwardsToken ? BareProbe : Probe, static (_, _) => Task.FromResult(true), stopping);

    /// <summary>Clears the denied objects of a backend that was removed from the settings or has a new address.</summary>
    public void Forget(string backend)
    {
        _unavailable.RemoveBackend(backend);
        _deleted.RemoveBackend(backend);
    }

    /// <summary>Forgets which objects of a study, or of all studies when it is null, the backends denied: the cache was purged.</summary>
    public void Purge(Uid? study)
    {
        _unavailable.Purge(study?.ToString());
        _deleted.Purge(study?.ToString());
    }

    /// <inheritdoc/>
    public void Dispose() => _failures.Dispose();

    // 3
    private async Task<UnavailableObjects.Denial?> FindDenialAsync(
        BackendOptions backend, BackendRequest request, BackendFailure? failure, ErrorStatus missing, CancellationToken cancellation)
    {
        // 404 and 410 are cheap and end when the object is stored. Orthanc answers 400 for a frame that does not exist.
        if (failure is null) return missing == ErrorStatus.BadRequest ? new(null, default) : null;
        if (failure is not { Error: BackendError.BadStatus, IsAboutTheObject: true }) return null;
        // Orthanc answers 500 for frames of an object without pixels and for a transfer syntax that it cannot encode; a broken
        // PACS answers 500 too, so a search decides.
        if (!await IsSearchingAsync(backend, cancellation)) return null;
        var error = request.IsAsStored ? BackendError.NotGiven : BackendError.NotInThisForm;
        return new(failure with { Error = error, Detail = failure.Detail + " for this object" }, default);
    }

    /// <summary>Checks whether the backend answers a search now. Concurrent callers share one search.</summary>
    private async Task<bool> IsSearchingAsync(BackendOptions backend, CancellationToken cancellation)
    {
        Task<bool>? check;
        lock (_searchChecks)
        {
            if (!_searchChecks.TryGetValue(backend.Name, out check)) _searchChecks[backend.Name] = check = SearchAsync();
        }
        return await check.WaitAsync(cancellation);

        async Task<bool> SearchAsync()
        {
            await Task.CompletedTask.ConfigureAwait(ConfigureAwaitOptions.ForceYielding);
            try
            {
                var answer = await CheckAsync(backend, SearchCheck, ReadFirstRowAsync, CancellationToken.None);
                return answer is { Failure: null, IsMissing: false };
            }
            finally
            {
                lock (_searchChecks) _searchChecks.Remove(backend.Name);
            }
        }
    }

    private static async Task<bool> ReadFirstRowAsync(BackendResponse response, CancellationToken cancellation)
    {
        // A backend that ignores the limit sends all its studies.
        await foreach (var _ in response.ReadRowsAsync(cancellation)) break;
        return true;
    }

    private async Task<BackendAnswer<bool>> CheckAsync(
        BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<bool>> read,
        CancellationToken cancellation)
    {
        using var timeout = new CancellationTokenSource(ProbeTimeout, time);
        var answer = await exchange.RunAsync(backend, request, read, needsPermit: false, timeout.Token, cancellation);
        if (backends.Has(backend)) Record(backend, request, answer.Failure, answer.IsMissing);
        return answer;
    }

    // 4
    private void Record(BackendOptions backend, BackendRequest request, BackendFailure? failure, bool isMissing)
    {
        // The failure of a client says nothing about the backend.
        if (failure?.Error == BackendError.ClientFailed) return;
        // A backend that stays down is reported once, not with every probe.
        var isKnown = request.Scope == FailureScope.Probe && !states.GetCircuit(backend.Name).IsClosed;
        if (failure is not null && !isKnown) _failures.Write(failure, request.LogPath);
        if (failure?.Error != BackendError.Busy) states.Record(backend.Name, request.Evidence, failure, isMissing);
    }
}
