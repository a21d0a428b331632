using Proxy.Backends;
using Proxy.Operations;

namespace Proxy.Cache;

/// <summary>A body on its way from a backend: one writes, any number read what is there at once and follow.</summary>
/// <remarks>
/// <para>
/// The fetch outlives the client that caused it and ends with the last one that waits. A body that is small enough is
/// held whole, so that late readers begin at its beginning and it can be kept. One that is larger is a window: nobody
/// may join any more, what every reader has is dropped, and the writer waits for the slowest.
/// </para>
/// </remarks>
public sealed class Fill(long keepUpTo)
{
    private const int FirstPieceBytes = 64 * 1024;
    private const int LastPieceBytes = 256;
    private const int MaxPieceBytes = 1024 * 1024;
    private const int WindowBytes = 4 * 1024 * 1024;

    private readonly Lock _lock = new();
    private readonly List<Piece> _pieces = [];
    private readonly List<Reader> _readers = [];
    private readonly TaskCompletionSource<BackendAnswer<EntryHead>> _head = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private EntryHead? _begun;
    private TaskCompletionSource? _changed;
    private long _written;
    private bool _isDone;
    private bool _isAbandoned;
    private bool _isWindow;
    private BackendFailure? _failure;

    /// <summary>An array that is being filled; <see cref="Start"/> is its place in the body.</summary>
    private sealed class Piece(long start, int size)
    {
        public readonly long Start = start;
        public readonly byte[] Bytes = GC.AllocateUninitializedArray<byte>(size);
        public int Filled;

        public Memory<byte> Room => Bytes.AsMemory(Filled);
    }

    /// <summary>Cancelled when nobody waits any more.</summary>
    public CancellationToken Stopped => _stop.Token;

    /// <summary>Begins at the beginning; null when it is too late for that, and a fetch of its own is needed.</summary>
    public Reader? Join()
    {
        lock (_lock)
        {
            if (_isWindow || _isAbandoned || _failure is not null) return null;
            var reader = new Reader(this);
            _readers.Add(reader);
            return reader;
        }
    }

    /// <summary>The backend answered: this is what comes. Readers hear of it with <see cref="Open"/>.</summary>
    public void Begin(EntryHead head)
    {
        lock (_lock)
        {
            _begun = head;
            _isWindow = head.Length > keepUpTo;
        }
    }

    /// <summary>Lets readers have what came so far. Up to here a bad answer is an error to them, behind it a body that breaks off.</summary>
    public void Open() => _head.TrySetResult(new(_begun!));

    /// <summary>Where the next bytes are to be put; waits while a window is full. Then <see cref="Commit"/>.</summary>
    public async ValueTask<Memory<byte>> GetRoomAsync(CancellationToken cancellation)
    {
        while (true)
        {
            Task drained;
            lock (_lock)
            {
                if (_isWindow) DropWhatEveryoneHas();
                if (!_isWindow || _written - SlowestPosition() < WindowBytes)
                {
                    if (_pieces.Count == 0 || _pieces[^1].Room.IsEmpty) _pieces.Add(new(_written, NextPieceBytes()));
                    return _pieces[^1].Room;
                }
                drained = Changed();
            }
            await drained.WaitAsync(cancellation);
        }
    }

    /// <summary>So many bytes were put where <see cref="GetRoomAsync"/> said.</summary>
    public void Commit(int count)
    {
        lock (_lock)
        {
            _pieces[^1].Filled += count;
            _written += count;
            if (_written > keepUpTo) _isWindow = true;
            Signal();
        }
    }

    /// <summary>The body is whole, by proof. Gives what is to be kept; null when it was too large for that.</summary>
    public Entry? Complete(EntryHead head, DateTimeOffset now)
    {
        Open();
        lock (_lock)
        {
            _isDone = true;
            Signal();
            if (_isWindow) return null;
            return new(head, [.. _pieces.Where(p => p.Filled > 0).Select(p => (ReadOnlyMemory<byte>)p.Bytes.AsMemory(0, p.Filled))], _written, now);
        }
    }

    /// <summary>It is not there, or the backend failed: before the head, readers get this answer; behind it, their bodies break off.</summary>
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

    private long SlowestPosition() => _readers.Count == 0 ? _written : _readers.Min(r => r.Position);

    private void DropWhatEveryoneHas()
    {
        var slowest = SlowestPosition();
        _pieces.RemoveAll(p => p.Start + p.Filled <= slowest && p.Filled == p.Bytes.Length);
    }

    /// <summary>What was declared when that is plausible, so that a frame is one array; never more than <see cref="MaxPieceBytes"/> on a backend's word.</summary>
    private int NextPieceBytes()
    {
        var declared = _begun?.Length;
        // Nothing more is expected; the read that finds the end needs somewhere to look.
        if (declared == _written) return LastPieceBytes;
        if (_isWindow) return FirstPieceBytes;
        return declared > _written ? (int)Math.Min(declared.Value - _written, MaxPieceBytes) : (int)Math.Clamp(_written, FirstPieceBytes, MaxPieceBytes);
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
        lock (_lock)
        {
            _readers.Remove(reader);
            if (_readers.Count > 0 || _isDone)
            {
                Signal();
                return;
            }
            _isAbandoned = true;
        }
        _stop.Cancel();
    }

    /// <summary>One client's place in the body. Disposing of it is leaving.</summary>
    public sealed class Reader(Fill fill) : IDisposable
    {
        private bool _hasLeft;

        internal long Position { get; private set; }

        /// <summary>What comes; or that it is not there, or why the backend failed.</summary>
        public Task<BackendAnswer<EntryHead>> ReadHeadAsync(CancellationToken cancellation) => fill._head.Task.WaitAsync(cancellation);

        /// <summary>The next bytes, as many as are there; empty at the end.</summary>
        /// <exception cref="BrokenBodyException">The backend failed behind the head: what came is not whole.</exception>
        public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellation)
        {
            while (true)
            {
                Task changed;
                lock (fill._lock)
                {
                    if (fill._failure is not null) throw new BrokenBodyException();
                    if (Position < fill._written) return Next();
                    if (fill._isDone) return default;
                    changed = fill.Changed();
                }
                await changed.WaitAsync(cancellation);
            }
        }

        public void Dispose()
        {
            if (_hasLeft) return;
            _hasLeft = true;
            fill.Leave(this);
        }

        private ReadOnlyMemory<byte> Next()
        {
            var piece = fill._pieces.FindLast(p => p.Start <= Position)!;
            var bytes = piece.Bytes.AsMemory((int)(Position - piece.Start)..piece.Filled);
            Position += bytes.Length;
            if (fill._isWindow) fill.Signal();
            return bytes;
        }
    }
}
