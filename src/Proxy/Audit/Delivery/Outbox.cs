using System.Buffers;
using System.Text.Json;
using System.Threading.Channels;
using Proxy.Operations;

namespace Proxy.Audit.Delivery;

/// <summary>Records on disk that wait for the sinks; a process that is killed loses only the batch that it has not flushed yet.</summary>
/// <remarks>
/// Records are appended in batches with one flush of the disk each. While that fails, or the outbox is full, the batch waits and is tried
/// again. Then <see cref="AuditFailureMode.Refuse"/> refuses requests, and nothing is lost. <see cref="AuditFailureMode.Continue"/> drops
/// the oldest records of a full outbox, which a sink has not taken for a long time, and the newest ones of a disk that does not write.
/// </remarks>
internal sealed class Outbox : IDisposable
{
    /// <summary>The records that may wait for the disk.</summary>
    private const int Capacity = 16_384;

    private const int MaxBatch = 512;

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    private static readonly byte[] LineBreak = "\n"u8.ToArray();

    private readonly Channel<AuditRecord> _records = Channel.CreateBounded<AuditRecord>(
        new BoundedChannelOptions(Capacity) { SingleReader = true });

    private readonly CancellationTokenSource _stopping = new();
    private readonly AuditOptions _options;
    private readonly IReadOnlyList<AuditDelivery> _deliveries;
    private readonly TimeProvider _time;
    private readonly ILogger<Outbox> _log;
    private readonly OutboxFolder _folder;
    private Task _writing = Task.CompletedTask;
    private volatile string? _failure;
    private volatile bool _isLast;
    private long _lost;
    private long _reported;

    /// <summary>Opens the outbox.</summary>
    public Outbox(AuditOptions options, IReadOnlyList<IAuditSink> sinks, TimeProvider time, ILogger<Outbox> log)
    {
        (_options, _time, _log) = (options, time, log);
        _folder = new(options.Outbox, options.MaxPendingBytes, sinks.Select(sink => sink.Name));
        _deliveries = [.. sinks.Select(sink => new AuditDelivery(_folder, sink, time, log))];
    }

    /// <summary>Why records cannot be written now; null if they can.</summary>
    public string? Failure => _failure;

    /// <summary>The records that no sink, or not every sink, gets.</summary>
    public long Lost => Interlocked.Read(ref _lost) + _deliveries.Sum(delivery => delivery.Damaged);

    /// <summary>The bytes that wait, by the name of the sink.</summary>
    public IEnumerable<(string Sink, long Bytes)> Pending => _deliveries.Select(d => (d.Sink, _folder.CountPending(d.Sink)));

    /// <summary>Begins to write and to deliver.</summary>
    public void Start()
    {
        _writing = Task.Run(WriteAsync, CancellationToken.None);
        foreach (var delivery in _deliveries) delivery.Start();
    }

    /// <summary>Adds a record; one that finds no place is lost.</summary>
    public void TryAdd(AuditRecord record)
    {
        if (!_records.Writer.TryWrite(record)) ReportLost(1);
    }

    /// <summary>Adds a record, and waits for a place.</summary>
    public ValueTask AddAsync(AuditRecord record, CancellationToken cancellation) => _records.Writer.WriteAsync(record, cancellation);

    /// <summary>Counts lost records.</summary>
    public void ReportLost(long count) => Interlocked.Add(ref _lost, count);

    /// <summary>Writes what waits, and gives the sinks a moment to take it; the rest is delivered after the next start.</summary>
    public async Task StopAsync(CancellationToken cancellation)
    {
        _isLast = true;
        _records.Writer.TryComplete();
        await using var stop = cancellation.UnsafeRegister(static stopping => ((CancellationTokenSource)stopping!).Cancel(), _stopping);
        await _writing.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        await Task.WhenAll(_deliveries.Select(delivery => delivery.StopAsync(cancellation)));
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var delivery in _deliveries) delivery.Dispose();
        _folder.Dispose();
        _stopping.Dispose();
    }

    private async Task WriteAsync()
    {
        var buffer = new ArrayBufferWriter<byte>(1 << 16);
        while (await _records.Reader.WaitToReadAsync(CancellationToken.None))
        {
            buffer.ResetWrittenCount();
            var count = 0;
            while (count < MaxBatch && buffer.WrittenCount < _options.MaxPendingBytes / 4 && _records.Reader.TryRead(out var record))
            {
                Write(buffer, record);
                count++;
            }
            while (!TryAppend(buffer.WrittenSpan))
            {
                // At the stop there is one attempt.
                if (_isLast)
                {
                    ReportLost(count);
                    break;
                }
                await Task.Delay(RetryDelay, _time, _stopping.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            foreach (var delivery in _deliveries) delivery.Wake();
        }
    }

    /// <summary>False if the records cannot be written now.</summary>
    private bool TryAppend(ReadOnlySpan<byte> lines)
    {
        try
        {
            while (_folder.Bytes is > 0 and var bytes && bytes + lines.Length > _folder.MaxBytes)
            {
                if (_options.OnFailure == AuditFailureMode.Refuse) return Fail("the outbox is full (Audit:MaxPendingBytes)");
                if (_folder.DropOldest() is var dropped and > 0) ReportLost(dropped);
            }
            _folder.Append(lines);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return Fail($"the outbox cannot be written: {e.GetType().Name}, error {e.HResult & 0xFFFF}");
        }
        if (_failure is not null) _log.AuditWritten();
        _failure = null;
        ReportLosses();
        return true;
    }

    private bool Fail(string reason)
    {
        if (_failure is null) _log.AuditNotWritten(reason, _options.OnFailure.ToString());
        _failure = reason;
        return false;
    }

    /// <summary>A loss is itself recorded, once it is over.</summary>
    private void ReportLosses()
    {
        var lost = Lost;
        if (lost == _reported) return;
        var count = lost - _reported;
        _reported = lost;
        _log.AuditRecordsLost(count);
        TryAdd(AuditRecords.CreateForProxy(
            AuditEvent.SecurityAlert, AuditEventType.AuditRecordingStopped, _time.GetUtcNow(), $"{count} audit records were lost",
            outcome: 8));
    }

    private static void Write(ArrayBufferWriter<byte> buffer, AuditRecord record)
    {
        using (var json = new Utf8JsonWriter(buffer)) JsonSerializer.Serialize(json, record, AuditJson.Default.AuditRecord);
        buffer.Write(LineBreak);
    }
}
