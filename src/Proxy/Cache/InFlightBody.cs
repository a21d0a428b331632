using Proxy.Backends;
using Proxy.Wire;

namespace Proxy.Cache;

/// <summary>A body that arrives from a backend: one writer, any number of readers that follow it.</summary>
/// <remarks>
/// <para>
/// The fetch outlives the client that caused it and ends with its last reader. A body within the memory limit is held whole, so late
/// readers start at its beginning and it can be cached.
/// </para>
/// <para>
/// A larger body goes into a file as it arrives: a reader that lags behind reads from the file, and little is in memory at a time.
/// Without a file it becomes a window: no reader may join, pieces that all readers have are dropped, and the writer waits for the
/// slowest reader.
/// </para>
/// <para>
/// Its bytes count as in flight. A body that exceeds the in-flight limit is treated as a larger one.
/// </para>
/// </remarks>
/// <param name="maxHeldBytes">The maximum of bytes held in memory.</param>
/// <param name="spool">Begins a larger body in the next tier; returns null when that has no room.</param>
/// <param name="inFlight">The counter of bytes in memory; null when they are not counted.</param>
/// <param name="maxBytes">The maximum length of a body; a larger one is refused.</param>
public sealed partial class InFlightBody(
    long maxHeldBytes, Func<EntryHead, Task<ISpool?>>? spool = null, InFlightBytes? inFlight = null, long maxBytes = long.MaxValue)
{
    private const int FirstPieceBytes = 64 * 1024;
    private const int LastPieceBytes = 256;
    private const int MaxPieceBytes = 1024 * 1024;
    private const int WindowBytes = 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly List<Piece> _pieces = [];
    private readonly List<Reader> _readers = [];
    private readonly TaskCompletionSource<BackendAnswer<EntryHead>> _head = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private EntryHead? _receivedHead;
    private TaskCompletionSource? _changed;
    private ISpool? _spool;
    private long _written;
    private long _spooled;
    private bool _isDone;
    private bool _isAbandoned;
    private bool _isClosed;
    private bool _isLarge;
    private bool _isWindow;
    private bool _isKept;
    private BackendFailure? _failure;

    /// <summary>An array being filled; <see cref="Start"/> is its offset in the body.</summary>
    private sealed class Piece(long start, int size)
    {
        public readonly long Start = start;
        public readonly byte[] Bytes = GC.AllocateUninitializedArray<byte>(size);
        public int Filled;

        public Memory<byte> Room => Bytes.AsMemory(Filled);

        public long End => Start + Filled;
    }

    /// <summary>Cancelled when the last reader has left.</summary>
    public CancellationToken Stopped => _stop.Token;

    /// <summary>True when it was purged while in flight: its readers get it, but it is not cached.</summary>
    public bool IsPurged { get; private set; }

    /// <summary>Called once with the head, before any reader sees it.</summary>
    public Action<EntryHead>? Opening { get; set; }

    /// <summary>The head of the backend's answer; null until it arrives.</summary>
    public EntryHead? Head => Volatile.Read(ref _receivedHead);

    /// <summary>Where to store the body: the most valuable placement of all requests that joined.</summary>
    public Placement Placement { get; set; }

    /// <summary>True once the body has been handed to the tiers.</summary>
    public bool IsStored { get; set; }

    /// <summary>True once readers can have all bytes, although their end may not be proved yet.</summary>
    internal bool IsWhole
    {
        get
        {
            lock (_lock) return _isDone || _receivedHead?.Length == _written;
        }
    }

    /// <summary>Purges it: its readers get it, but it is not cached, and its file has no name any more.</summary>
    /// <param name="spool">The file at the time of the call; null for none.</param>
    public void Purge(out ISpool? spool)
    {
        lock (_lock) (IsPurged, spool) = (true, _spool);
    }

    /// <summary>Adds a reader at the start of the body; null when it is too late to join, and the caller must fetch again.</summary>
    public Reader? Join()
    {
        lock (_lock)
        {
            if (_isWindow || _isAbandoned || _isClosed || _failure is not null) return null;
            var reader = new Reader(this);
            _readers.Add(reader);
            return reader;
        }
    }

    /// <summary>Accepts the head of the backend's answer. Readers see it after <see cref="Open"/>.</summary>
    /// <exception cref="MalformedAnswerException">The declared length exceeds the maximum.</exception>
    public void Begin(EntryHead head)
    {
        if (head.Length > maxBytes) throw TooLarge();
        lock (_lock)
        {
            _receivedHead = head;
            if (head.Length > maxHeldBytes || !TryCount(head.Length ?? 0)) Overflow();
        }
    }

    /// <summary>
    /// Releases the head to the readers. A bad answer before this call is an error to them; after it, their body is cut off.
    /// </summary>
    public void Open()
    {
        if (_head.Task.IsCompleted) return;
        Opening?.Invoke(_receivedHead!);
        _head.TrySetResult(new(_receivedHead!));
    }

    /// <summary>The buffer for the next bytes; waits while a window is full. Call <see cref="Commit"/> afterwards.</summary>
    public async ValueTask<Memory<byte>> GetBufferAsync(CancellationToken cancellation)
    {
        if (_isLarge) await SpoolAsync();
        // A fetch without readers continues only to be cached, and a window is not cached.
        if (_isKept && _isWindow)
        {
            Leave();
            cancellation.ThrowIfCancellationRequested();
        }
        while (true)
        {
            Task drained;
            lock (_lock)
            {
                if (_isWindow) DropReadPieces();
                if (!_isWindow || _written - SlowestPosition() < WindowBytes)
                {
                    if (_pieces.Count == 0 || _pieces[^1].Room.IsEmpty) AddPiece();
                    return _pieces[^1].Room;
                }
                drained = WaitForChange();
            }
            await drained.WaitAsync(cancellation);
        }
    }

    /// <summary>Appends the bytes written into the buffer of <see cref="GetBufferAsync"/>.</summary>
    /// <exception cref="MalformedAnswerException">The body exceeds the maximum length.</exception>
    public void Commit(int count)
    {
        if (_written + count > maxBytes) throw TooLarge();
        lock (_lock)
        {
            _pieces[^1].Filled += count;
            _written += count;
            if (_written > maxHeldBytes) Overflow();
            Signal();
        }
    }

    /// <summary>Ends a verified, complete body.</summary>
    /// <returns>The entry or the file to cache; neither when the body was too large for both.</returns>
    public async ValueTask<(Entry? Entry, ISpool? Spool)> CompleteAsync(EntryHead head, DateTimeOffset now)
    {
        Open();
        lock (_lock)
        {
            _isDone = true;
            Signal();
            // The last array may be larger than its content; the rest would be held but not counted.
            if (!_isLarge)
            {
                var pieces = _pieces.Where(p => p.Filled > 0)
                    .Select(p => (ReadOnlyMemory<byte>)(p.Filled == p.Bytes.Length ? p.Bytes : p.Bytes[..p.Filled]));
                return (new(head, [.. pieces], _written, now) { Usage = CountAsWhole() }, null);
            }
        }
        await SpoolAsync();
        if (_isWindow || _spooled != _written) return default;
        _spool!.End(now);
        return (null, _spool);
    }

    /// <summary>
    /// Ends without a complete body: before the head, readers get this failure (null: not found); after it, their body is cut off.
    /// </summary>
    public void End(BackendFailure? failure)
    {
        lock (_lock)
        {
            if (_isDone) return;
            _isDone = true;
            _failure = failure ?? new BackendFailure("", BackendError.BadAnswer, "not found");
            Signal();
        }
        _head.TrySetResult(failure is null ? default : new(failure));
    }

    /// <summary>Refuses new readers; the last one to leave frees the resources.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            _ended.TrySetResult();
            if (_readers.Count > 0) return;
        }
        Free();
    }

    private static MalformedAnswerException TooLarge() => new("A body is larger than Cache:MaxBodyBytes.");

    /// <summary>Switches to a file or a window. Call under the lock.</summary>
    private void Overflow()
    {
        _isLarge = true;
        CountPieces();
        if (spool is null) _isWindow = true;
    }

    /// <summary>Moves the pieces in memory to the file. Called by the writer only.</summary>
    private async ValueTask SpoolAsync()
    {
        if (_isWindow) return;
        if (_spool is null && !await BeginSpoolAsync())
        {
            lock (_lock) _isWindow = true;
            return;
        }
        while (true)
        {
            ReadOnlyMemory<byte> bytes;
            lock (_lock)
            {
                if (_pieces.Find(p => p.End > _spooled) is not { } piece) break;
                bytes = piece.Bytes.AsMemory((int)(_spooled - piece.Start)..piece.Filled);
            }
            var isWritten = await _spool!.AppendAsync(bytes);
            lock (_lock)
            {
                if (!isWritten)
                {
                    _isWindow = true;
                    return;
                }
                _spooled += bytes.Length;
                RemovePieces(p => p.End <= _spooled && p.Room.IsEmpty);
            }
        }
    }

    private async ValueTask<bool> BeginSpoolAsync()
    {
        if (spool is null || await spool(_receivedHead!) is not { } begun) return false;
        bool isPurged;
        lock (_lock) (_spool, isPurged) = (begun, IsPurged);
        if (isPurged) await begun.UnlinkAsync();
        return true;
    }

    private long SlowestPosition() => _readers.Count == 0 ? _written : _readers.Min(r => r.Position);

    private void DropReadPieces()
    {
        var slowest = SlowestPosition();
        RemovePieces(p => p.End <= slowest && p.Room.IsEmpty);
    }

    /// <summary>
    /// The size of the next array: the declared length when plausible, so that a frame is one array; at most <see cref="MaxPieceBytes"/>,
    /// as a declaration alone must not cost memory.
    /// </summary>
    private int NextPieceBytes()
    {
        var declared = _receivedHead?.Length;
        // No more bytes are expected; the read that detects the end needs a buffer.
        if (declared == _written) return LastPieceBytes;
        if (_isWindow) return FirstPieceBytes;
        return declared > _written
            ? (int)Math.Min(declared.Value - _written, MaxPieceBytes)
            : (int)Math.Clamp(_written, FirstPieceBytes, MaxPieceBytes);
    }

    /// <summary>Wakes all waiting readers. Call under the lock.</summary>
    private void Signal()
    {
        _changed?.TrySetResult();
        _changed = null;
    }

    private Task WaitForChange() => (_changed ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    /// <summary>Removes a reader; the last one to leave stops the fetch or, after its end, frees the resources.</summary>
    /// <param name="reader">The reader; null to remove none.</param>
    private void Leave(Reader? reader = null)
    {
        bool isClosed;
        lock (_lock)
        {
            if (reader is not null) _readers.Remove(reader);
            if (_readers.Count > 0 || (_isDone || _isKept && !_isWindow) && !_isClosed)
            {
                Signal();
                return;
            }
            _isAbandoned = true;
            isClosed = _isClosed;
        }
        if (isClosed) Free();
        else _stop.Cancel();
    }
}
