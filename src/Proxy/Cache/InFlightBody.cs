using Proxy.Backends;
using Proxy.Cache.OnDisk;
using Proxy.Wire;

namespace Proxy.Cache;

/// <summary>A body on its way from a backend: one writes, any number read what is there at once and follow.</summary>
/// <remarks>
/// <para>
/// The fetch outlives the client that caused it and ends with the last one that waits. A body that is small enough is
/// held whole, so that late readers begin at its beginning and it can be kept.
/// </para>
/// <para>
/// One that is larger goes into a file as it comes: who is behind reads from there, and little of it is in memory at a
/// time. Where there is no file for it, it is a window: nobody may join any more, what every reader has is dropped, and
/// the writer waits for the slowest.
/// </para>
/// <para>
/// What it holds is counted as in flight. One for which there is no room there goes the way of a larger one.
/// </para>
/// </remarks>
/// <param name="holdUpTo">The most that is held in memory, in bytes.</param>
/// <param name="spool">Begins a file for a body that is larger; gives null when there is none to be had.</param>
/// <param name="inFlight">Where the bytes in memory are counted; null when they are not.</param>
/// <param name="maxBytes">A body that is larger is refused.</param>
public sealed partial class InFlightBody(
    long holdUpTo, Func<EntryHead, Task<Spool?>>? spool = null, InFlightBytes? inFlight = null, long maxBytes = long.MaxValue)
{
    private const int FirstPieceBytes = 64 * 1024;
    private const int LastPieceBytes = 256;
    private const int MaxPieceBytes = 1024 * 1024;
    private const int WindowBytes = 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly List<Piece> _pieces = [];
    private readonly List<Reader> _readers = [];
    private readonly TaskCompletionSource<BackendAnswer<EntryHead>> _head = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private EntryHead? _begun;
    private TaskCompletionSource? _changed;
    private Spool? _spool;
    private long _written;
    private long _spooled;
    private bool _isDone;
    private bool _isAbandoned;
    private bool _isClosed;
    private bool _isLarge;
    private bool _isWindow;
    private BackendFailure? _failure;

    /// <summary>An array that is being filled; <see cref="Start"/> is its place in the body.</summary>
    private sealed class Piece(long start, int size)
    {
        public readonly long Start = start;
        public readonly byte[] Bytes = GC.AllocateUninitializedArray<byte>(size);
        public int Filled;

        public Memory<byte> Room => Bytes.AsMemory(Filled);

        public long End => Start + Filled;
    }

    /// <summary>Cancelled when nobody waits any more.</summary>
    public CancellationToken Stopped => _stop.Token;

    /// <summary>It was purged while it was on its way: who waits gets it, and it is not kept.</summary>
    public bool IsUnwanted { get; set; }

    /// <summary>Where it is to be kept: as whoever joined it and values it most wants it.</summary>
    public Placement Keep { get; set; }

    /// <summary>It is where it is to be kept, or on its way there.</summary>
    public bool IsFiled { get; set; }

    /// <summary>Begins at the beginning; null when it is too late for that, and a fetch of its own is needed.</summary>
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

    /// <summary>The backend answered: this is what comes. Readers hear of it with <see cref="Open"/>.</summary>
    /// <exception cref="MalformedAnswerException">It is larger than a body may be.</exception>
    public void Begin(EntryHead head)
    {
        if (head.Length > maxBytes) throw TooLarge();
        lock (_lock)
        {
            _begun = head;
            if (head.Length > holdUpTo || !TryCount(head.Length ?? 0)) Overflow();
        }
    }

    /// <summary>
    /// Lets readers have what came so far. Up to here a bad answer is an error to them, behind it a body that breaks off.
    /// </summary>
    public void Open() => _head.TrySetResult(new(_begun!));

    /// <summary>Where the next bytes are to be put; waits while a window is full. Then <see cref="Commit"/>.</summary>
    public async ValueTask<Memory<byte>> GetRoomAsync(CancellationToken cancellation)
    {
        if (_isLarge) await SpoolAsync();
        while (true)
        {
            Task drained;
            lock (_lock)
            {
                if (_isWindow) DropWhatEveryoneHas();
                if (!_isWindow || _written - SlowestPosition() < WindowBytes)
                {
                    if (_pieces.Count == 0 || _pieces[^1].Room.IsEmpty) AddPiece();
                    return _pieces[^1].Room;
                }
                drained = Changed();
            }
            await drained.WaitAsync(cancellation);
        }
    }

    /// <summary>So many bytes were put where <see cref="GetRoomAsync"/> said.</summary>
    /// <exception cref="MalformedAnswerException">The body is larger than one may be.</exception>
    public void Commit(int count)
    {
        if (_written + count > maxBytes) throw TooLarge();
        lock (_lock)
        {
            _pieces[^1].Filled += count;
            _written += count;
            if (_written > holdUpTo) Overflow();
            Signal();
        }
    }

    /// <summary>The body is whole, by proof. Gives what is to be kept, one or the other; neither when it was too large for that.</summary>
    public async ValueTask<(Entry? Entry, Spool? Spool)> CompleteAsync(EntryHead head, DateTimeOffset now)
    {
        Open();
        lock (_lock)
        {
            _isDone = true;
            Signal();
            // The last array may have room for more, which would be held and not counted.
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
    /// It is not there, or the backend failed: before the head, readers get this answer; behind it, their bodies break off.
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

    /// <summary>Nobody joins any more; what it holds goes with its last reader.</summary>
    public void Close()
    {
        lock (_lock)
        {
            _isClosed = true;
            if (_readers.Count > 0) return;
        }
        LetGo();
    }

    private static MalformedAnswerException TooLarge() => new("A body is larger than Cache:MaxBodyBytes.");

    /// <summary>It is too large to be held; call under the lock.</summary>
    private void Overflow()
    {
        _isLarge = true;
        CountPieces();
        if (spool is null) _isWindow = true;
    }

    /// <summary>Puts into the file what is not there yet, and lets go of it. Only the writer calls this.</summary>
    private async ValueTask SpoolAsync()
    {
        if (_isWindow) return;
        if (_spool is null && (spool is null || (_spool = await spool(_begun!)) is null))
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

    private long SlowestPosition() => _readers.Count == 0 ? _written : _readers.Min(r => r.Position);

    private void DropWhatEveryoneHas()
    {
        var slowest = SlowestPosition();
        RemovePieces(p => p.End <= slowest && p.Room.IsEmpty);
    }

    /// <summary>
    /// What was declared when that is plausible, so that a frame is one array; never more than <see cref="MaxPieceBytes"/> on a backend's
    /// word.
    /// </summary>
    private int NextPieceBytes()
    {
        var declared = _begun?.Length;
        // Nothing more is expected; the read that finds the end needs somewhere to look.
        if (declared == _written) return LastPieceBytes;
        if (_isWindow) return FirstPieceBytes;
        return declared > _written
            ? (int)Math.Min(declared.Value - _written, MaxPieceBytes)
            : (int)Math.Clamp(_written, FirstPieceBytes, MaxPieceBytes);
    }

    /// <summary>Wakes whoever waits; call under the lock.</summary>
    private void Signal()
    {
        _changed?.TrySetResult();
        _changed = null;
    }

    private Task Changed() => (_changed ??= new(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

    private void Leave(Reader reader)
    {
        bool isClosed;
        lock (_lock)
        {
            _readers.Remove(reader);
            if (_readers.Count > 0 || _isDone && !_isClosed)
            {
                Signal();
                return;
            }
            _isAbandoned = true;
            isClosed = _isClosed;
        }
        if (isClosed) LetGo();
        else _stop.Cancel();
    }
}
