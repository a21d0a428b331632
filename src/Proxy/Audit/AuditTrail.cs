using System.Threading.Channels;
using Proxy.Audit.Delivery;
using Proxy.Dicom;
using Proxy.Operations;

namespace Proxy.Audit;

/// <summary>From finished requests to records in the outbox, on threads of its own.</summary>
/// <remarks>
/// <code>
/// 1 RequestAudit   hands over a finished request; a full queue loses it, and the loss is counted
/// 2 describe       makes records (AuditDescription): one each, or one for many (AuditWindows)
/// 3 Outbox         appends records to the disk, in batches with one flush each
/// 4 AuditDelivery  carries them from there to each sink
/// </code>
/// With <see cref="AuditFailureMode.Refuse"/>, step 2 waits for step 3, and <see cref="FindRefusal"/> refuses further requests for data.
/// </remarks>
internal sealed class AuditTrail : IHostedService, IDisposable
{
    /// <summary>The finished requests that may wait.</summary>
    public const int Capacity = 16_384;

    private readonly Channel<FinishedRequest> _requests = Channel.CreateBounded<FinishedRequest>(
        new BoundedChannelOptions(Capacity) { SingleReader = true });

    private readonly CancellationTokenSource _stopping = new();
    private readonly AuditDescription _description;
    private readonly OpenRecords _open;
    private readonly AuditOptions _options;
    private readonly Outbox _outbox;
    private readonly TimeProvider _time;
    private readonly ILogger<AuditTrail> _log;
    private readonly Lock _lock = new();
    private Task _describing = Task.CompletedTask;
    private Task? _stop;

    /// <summary>Creates a trail that ends in an outbox.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="outbox">Receives the records.</param>
    /// <param name="patients">Finds the patient of a study without asking a backend.</param>
    /// <param name="time">The clock of the machine: records state the true time of day.</param>
    /// <param name="log">Receives defects.</param>
    public AuditTrail(
        AuditOptions options, Outbox outbox, Func<Uid, CancellationToken, ValueTask<AuditPatient?>> patients, TimeProvider time,
        ILogger<AuditTrail> log)
    {
        (_options, _outbox, _time, _log) = (options, outbox, time, log);
        _open = new(options.Outbox);
        _description = new(patients, SendAsync, _open);
    }

    /// <summary>The time of day.</summary>
    public DateTimeOffset Now => _time.GetUtcNow();

    /// <summary>Hands over a request; never waits.</summary>
    public void Add(in FinishedRequest request)
    {
        if (!_requests.Writer.TryWrite(request)) _outbox.ReportLost(1);
    }

    /// <summary>Records an event of the proxy itself; never waits.</summary>
    public void Add(AuditRecord record) => _outbox.TryAdd(record);

    /// <summary>Why a request for data is refused now; null to answer it.</summary>
    /// <remarks>Half of the queue remains for the requests that run already, so that their records are not lost.</remarks>
    public string? FindRefusal() => _options.OnFailure != AuditFailureMode.Refuse ? null
        : _outbox.Failure is { } failure ? failure
        : _requests.Reader.Count > Capacity / 2 ? "audit records cannot be written as fast as requests arrive" : null;

    /// <inheritdoc/>
    public Task StartAsync(CancellationToken cancellationToken)
    {
        _outbox.Start();
        foreach (var left in _open.TakeLeft()) Add(left with { Reason = "the proxy was killed before it could count further accesses" });
        Add(AuditRecords.CreateForProxy(AuditEvent.ApplicationActivity, AuditEventType.ApplicationStart, Now));
        _describing = Task.Run(DescribeAllAsync, CancellationToken.None);
        return Task.CompletedTask;
    }

    /// <summary>Writes what is open, once. The server has stopped before, so no request follows.</summary>
    public Task StopAsync(CancellationToken cancellationToken)
    {
        lock (_lock) return _stop ??= StopOnceAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _open.Dispose();
        _stopping.Dispose();
    }

    private async Task StopOnceAsync(CancellationToken cancellationToken)
    {
        _requests.Writer.TryComplete();
        await using var stop = cancellationToken.UnsafeRegister(
            static stopping => ((CancellationTokenSource)stopping!).Cancel(), _stopping);
        await _describing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        Add(AuditRecords.CreateForProxy(AuditEvent.ApplicationActivity, AuditEventType.ApplicationStop, Now));
        await _outbox.StopAsync(cancellationToken);
    }

    private async Task DescribeAllAsync()
    {
        Task<bool> more;
        do
        {
            while (_requests.Reader.TryRead(out var request)) await DescribeAsync(request);
            more = _requests.Reader.WaitToReadAsync(CancellationToken.None).AsTask();
            do await _description.EndWindowsAsync(Now, _stopping.Token);
            while (!await HasEndedAsync(more));
        }
        while (await more);
        await _description.EndWindowsAsync(DateTimeOffset.MaxValue, _stopping.Token);
    }

    private async Task DescribeAsync(FinishedRequest request)
    {
        try
        {
            await _description.AddAsync(request, _stopping.Token);
        }
        catch (Exception e) when (!_stopping.IsCancellationRequested)
        {
            _log.UnhandledException(e);
            _outbox.ReportLost(1);
        }
    }

    /// <summary>Waits for requests, at most until the next window ends; true if there are some, or at the stop.</summary>
    private async Task<bool> HasEndedAsync(Task more)
    {
        if (_description.NextEnd is not { } end || more.IsCompleted) return true;
        using var waiting = new CancellationTokenSource();
        var over = Task.Delay(end > Now ? end - Now : TimeSpan.Zero, _time, waiting.Token);
        if (await Task.WhenAny(more, over) == over) return false;
        await waiting.CancelAsync();
        return true;
    }

    private ValueTask SendAsync(AuditRecord record, CancellationToken cancellation)
    {
        if (_options.OnFailure == AuditFailureMode.Refuse) return _outbox.AddAsync(record, cancellation);
        _outbox.TryAdd(record);
        return ValueTask.CompletedTask;
    }
}
