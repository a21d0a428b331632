using Proxy.Backends;
using Proxy.Cache;
using Proxy.Cache.InMemory;
using Proxy.Dicom;
using Proxy.Metadata;

namespace Proxy.Storing;

/// <summary>Captures the instances of one request while they pass to the backend.</summary>
/// <remarks>
/// <code>
/// one instance     at most 64 MiB         longer ones pass without a capture
/// one request      at most 128 MiB, 500 instances; further ones pass without a capture
/// all requests     EntryCache.OpenCapture
/// </code>
/// The stream to the backend waits for nothing here but once, at most 250 ms, for the series list of a study that the store does not know.
/// </remarks>
internal sealed class StowCaptures(
    BackendOptions backend, EntryCache cache, AbsenceCheck absence, FileMetadataReader reader, TimeProvider time) : IDisposable
{
    private const long MaxInstanceBytes = 64L << 20;
    private const long MaxRequestBytes = 128L << 20;
    private const int MaxInstances = 500;

    private static readonly TimeSpan MaxWait = TimeSpan.FromMilliseconds(250);

    private readonly CancellationTokenSource _end = new();
    private readonly List<StowCapture> _all = [];
    private readonly List<StowCapture> _ended = [];
    private StowCapture? _current;
    private long _bytes;
    private bool _hasWaited;

    /// <summary>The backend that the instances are stored in.</summary>
    public BackendOptions Backend => backend;

    /// <summary>The instances that were captured whole and were absent before.</summary>
    public IEnumerable<StowCapture> Proven => _all.Where(one => one is { Bytes.IsDropped: false, IsProven: true });

    /// <summary>Begins with an instance.</summary>
    /// <param name="path">The UIDs in its file.</param>
    /// <param name="transferSyntax">The transfer syntax of its file.</param>
    public void Begin(InstancePath path, Uid transferSyntax)
    {
        // A second one of the same UID drops the first, so every instance opens a capture.
        if (_all.Count >= StowContents.MaxInstances) return;
        var bytes = cache.OpenCapture(backend.Name, path);
        if (_all.Count >= MaxInstances) bytes.Drop();
        var check = bytes.IsDropped ? Task.FromResult(false) : absence.IsAbsentAsync(backend, path, _end.Token);
        _current = new(path, $"{transferSyntax}", bytes, check);
        _all.Add(_current);
    }

    /// <summary>Captures the next bytes of the current instance.</summary>
    public void Append(ReadOnlySpan<byte> bytes)
    {
        if (_current is not { Bytes: { IsDropped: false } capture }) return;
        capture.Append(bytes);
        _bytes += bytes.Length;
        if (capture.Length <= MaxInstanceBytes && _bytes <= MaxRequestBytes) return;
        _bytes -= capture.Length;
        capture.Drop();
    }

    /// <summary>Ends the current instance. Its dataset is read while the backend stores it, before the answer.</summary>
    public void End()
    {
        var ended = _current;
        _current = null;
        if (ended is not { Bytes.IsDropped: false }) return;
        if (!ended.IsProven) _ended.Add(ended);
        if (ended.MayBeProven) ended.Dataset = Task.Run(() => PackAsync(ended));
    }

    /// <summary>Waits, before the end of an instance passes to the backend, for the proof that it was absent until then.</summary>
    public async ValueTask WaitAsync(CancellationToken cancellation)
    {
        if (_ended.Count == 0) return;
        var checks = Task.WhenAll(_ended.Select(one => one.Check));
        _ended.Clear();
        if (checks.IsCompleted || _hasWaited) return;
        _hasWaited = true;
        await Task.WhenAny(checks, Task.Delay(MaxWait, time, cancellation));
    }

    private async Task<PackedInstances?> PackAsync(StowCapture one)
    {
        if (one.Bytes.Build(one.TransferSyntax, time.GetUtcNow()) is not { } entry) return null;
        using var body = new MemoryBody(entry);
        return await reader.PackAsync(backend.Name, one.Path, body, CancellationToken.None);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _end.Cancel();
        foreach (var one in _all) cache.CloseCapture(one.Bytes, one.Path);
        _end.Dispose();
    }
}

/// <summary>One instance of a request.</summary>
/// <param name="Path">The UIDs in its file.</param>
/// <param name="TransferSyntax">The transfer syntax of its file.</param>
/// <param name="Bytes">Its bytes so far.</param>
/// <param name="Check">Whether the backend did not hold it before.</param>
internal sealed record StowCapture(InstancePath Path, string TransferSyntax, InstanceCapture Bytes, Task<bool> Check)
{
    /// <summary>True when the backend certainly did not hold it before, as far as this is known by now.</summary>
    public bool IsProven => Check is { IsCompletedSuccessfully: true, Result: true };

    /// <summary>True while it is not known that nothing will be proved.</summary>
    public bool MayBeProven => IsProven || !Check.IsCompleted;

    /// <summary>Its dataset, when it may be proven; null for a file that is not a dataset of this instance.</summary>
    public Task<PackedInstances?> Dataset { get; set; } = Task.FromResult<PackedInstances?>(null);
}
