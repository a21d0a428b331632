using System.Net;
using Proxy.Backends.Health;
using Proxy.Dicom;
using Proxy.Wire;

namespace Proxy.Backends;

/// <summary>Asks one backend one thing and reads the answer, with regard to the backend's health; every way to fail is a value.</summary>
/// <remarks>
/// <code>
/// 1 refuse     the backend is down, or it denied this object a moment ago: it is not asked
/// 2 ask        one exchange; a client that waits for it holds prefetching back
/// 3 blame      an object fails while searches are answered: the object cannot be had, and the backend is well
/// 4 note       how it went: the picture that 1 is decided by, and what an operator sees
/// </code>
/// </remarks>
public sealed class BackendClient(
    BackendSet backends, BackendExchange exchange, BackendStates states, BackendScheduler scheduler, TimeProvider time,
    ILogger<BackendClient> log)
    : IDisposable
{
    /// <summary>How long a backend may take to answer a health check.</summary>
    private static readonly TimeSpan ProbePatience = TimeSpan.FromSeconds(5);

    /// <summary>Any answer to it but an error says that the backend lives; one that does not search says 404.</summary>
    private static readonly BackendRequest Probe = new("studies?limit=1", MediaType.DicomJson) { Scope = FailureScope.Probe };

    /// <summary>The same, for an ordinary search: only a list of studies will do.</summary>
    private static readonly BackendRequest SearchCheck = Probe with { Scope = FailureScope.Search };

    private readonly UnavailableObjects _unavailable = new(time);
    private readonly FailureLog _failures = new(time, log);
    private readonly Dictionary<string, Task<bool>> _checks = [];

    /// <summary>Asks and reads, with no deadline but the backend's own time limits.</summary>
    public Task<BackendAnswer<T>> AskAsync<T>(
        BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<T>> read,
        CancellationToken cancellation) =>
        AskAsync(backend, request, read, CancellationToken.None, cancellation);

    /// <summary>Asks and reads.</summary>
    /// <param name="backend">Whom to ask.</param>
    /// <param name="request">For what.</param>
    /// <param name="read">Reads the body of a 200; <see cref="MalformedAnswerException"/> says that it is not what was asked for.</param>
    /// <param name="deadline">When others' answers can wait no longer: the backend is late then.</param>
    /// <param name="cancellation">Ends the asking; the only exception that leaves is its own.</param>
    public async Task<BackendAnswer<T>> AskAsync<T>(
        BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<T>> read,
        CancellationToken deadline, CancellationToken cancellation)
    {
        if (CurrentPurpose.Value == RequestPurpose.Prefetch) request = request with { Scope = FailureScope.Nothing };

        // 1
        if (states.FindRefusal(backend.Name) is { } refusal) return new(refusal);
        if (request.IsObject && _unavailable.Find(backend.Name, request) is { } denial)
            return denial.Failure is { } known ? new(known) : new() { IsMissing = true };

        // 2
        using var waiting = scheduler.BeginForeground(backend.Name, FetchTarget.Parse(request.PathAndQuery));
        var answer = await exchange.RunAsync(backend, request, read, needsPermit: true, deadline, cancellation);
        // The settings may have changed meanwhile: what a PACS said that is not configured any more is nobody's to keep.
        if (!backends.Has(backend))
            return new(new BackendFailure(backend.Name, BackendError.Unreachable, "it is configured no more"));

        // 3
        if (request.IsObject && await FindDenialAsync(backend, request, answer.Failure, answer.Status, cancellation) is { } denied)
        {
            _unavailable.Add(backend.Name, request, denied.Failure);
            if (denied.Failure is { } failure) answer = new(failure);
        }
        Note(backend, request, answer.Failure, answer.IsMissing);
        return answer;
    }

    /// <summary>The proxy's own health check: opens the circuit of a suspected backend, or closes that of one that is back.</summary>
    public Task ProbeAsync(BackendOptions backend, CancellationToken stopping) =>
        CheckAsync(backend, Probe, static (_, _) => Task.FromResult(true), stopping);

    /// <summary>Forgets what a backend denied: it is configured no more, or has moved.</summary>
    public void Forget(string backend) => _unavailable.Forget(backend);

    public void Dispose() => _failures.Dispose();

    // 3
    private async Task<UnavailableObjects.Denial?> FindDenialAsync(
        BackendOptions backend, BackendRequest request, BackendFailure? failure, HttpStatusCode? missing, CancellationToken cancellation)
    {
        // 404 and 410 are cheap, and end when the object is stored; 400 is how Orthanc says that a frame does not exist.
        if (failure is null) return missing is null or HttpStatusCode.NotFound or HttpStatusCode.Gone ? null : new(null, default);
        if (failure is not
            {
                Error: BackendError.BadStatus,
                Status: HttpStatusCode.BadRequest or HttpStatusCode.NotAcceptable or HttpStatusCode.UnsupportedMediaType
            or HttpStatusCode.InternalServerError or HttpStatusCode.NotImplemented
            }) return null;
        // Orthanc answers 500 to frames of what has none, and to a transfer syntax that it cannot make; so does a PACS that is broken.
        if (!await IsSearchingAsync(backend, cancellation)) return null;
        var error = request.IsAsStored ? BackendError.NotGiven : BackendError.NotInThisForm;
        return new(failure with { Error = error, Detail = failure.Detail + " for this object" }, default);
    }

    /// <summary>Whether the backend answers a search now. Those who ask at the same time share one search.</summary>
    private async Task<bool> IsSearchingAsync(BackendOptions backend, CancellationToken cancellation)
    {
        Task<bool>? check;
        lock (_checks)
        {
            if (!_checks.TryGetValue(backend.Name, out check)) _checks[backend.Name] = check = SearchAsync();
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
                lock (_checks) _checks.Remove(backend.Name);
            }
        }
    }

    private static async Task<bool> ReadFirstRowAsync(BackendResponse response, CancellationToken cancellation)
    {
        // One that ignores the limit sends all it has.
        await foreach (var _ in response.ReadRowsAsync(cancellation)) break;
        return true;
    }

    private async Task<BackendAnswer<bool>> CheckAsync(
        BackendOptions backend, BackendRequest request, Func<BackendResponse, CancellationToken, Task<bool>> read,
        CancellationToken cancellation)
    {
        using var patience = new CancellationTokenSource(ProbePatience, time);
        var answer = await exchange.RunAsync(backend, request, read, needsPermit: false, patience.Token, cancellation);
        if (backends.Has(backend)) Note(backend, request, answer.Failure, answer.IsMissing);
        return answer;
    }

    // 4
    private void Note(BackendOptions backend, BackendRequest request, BackendFailure? failure, bool isMissing)
    {
        if (failure is not null) _failures.Write(failure, request);
        if (failure?.Error != BackendError.Busy) states.Note(backend.Name, request, failure, isMissing);
    }
}
