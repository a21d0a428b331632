using System.Buffers;
using System.IO.Pipelines;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.AspNetCore.Http.Features;

namespace Proxy.Operations.Output;

/// <summary>
/// The output of a connection without TLS: writes straight to its socket, and sends bodies from the memory of the cache, without a copy.
/// </summary>
/// <remarks>
/// <para>
/// It takes the place of the pipe between Kestrel's HTTP engine and its transport. What the engine writes is copied into pooled blocks,
/// as in the pipe. A body is lent (<see cref="TryLend"/>): it becomes a piece between these blocks, and one system call sends them all.
/// A flush ends when the client's socket has taken everything, so that a slow client delays the writer, and holds no thread meanwhile.
/// </para>
/// <para>
/// The owner of lent memory may reuse it after <see cref="ReclaimAsync"/>. A flush therefore never ends before its system call, also when
/// it is cancelled: a cancellation aborts the connection, and that ends the call.
/// </para>
/// <para>
/// An endpoint with TLS uses the pipe: the first bytes are written after the handshake has announced itself
/// (<see cref="ITlsConnectionFeature"/>).
/// </para>
/// </remarks>
/// <param name="connection">The connection.</param>
/// <param name="pipe">The output that this one replaces.</param>
/// <param name="socket">The client's socket.</param>
internal sealed partial class ConnectionOutput(ConnectionContext connection, PipeWriter pipe, Socket socket) : PipeWriter
{
    /// <summary>Given to a writer that is about to lend. Nothing reads it.</summary>
    private static readonly byte[] Scratch = new byte[256];

    private readonly MemoryPool<byte> _pool = connection.Features.Get<IMemoryPoolFeature>()?.MemoryPool ?? MemoryPool<byte>.Shared;
    private readonly Lock _lock = new();
    private bool? _hasTls;

    /// <summary>Written and not flushed yet; and what the flush that runs is sending.</summary>
    private List<OutputPiece> _written = [], _sending = [];

    private IMemoryOwner<byte>? _block;
    private int _start, _end;
    private long _unflushed;

    private OutputPiece _offered;
    private int _offeringThread;
    private bool _isClaimed;

    private bool _isFlushing, _isCancelled;
    private volatile bool _isBroken;
    private TaskCompletionSource? _idle;

    /// <inheritdoc/>
    public override bool CanGetUnflushedBytes => true;

    /// <inheritdoc/>
    public override long UnflushedBytes => HasTls ? pipe.UnflushedBytes : _unflushed;

    private bool HasTls => _hasTls ??= connection.Features.Get<ITlsConnectionFeature>() is not null;

    /// <summary>Adds bytes to an answer without copying them.</summary>
    /// <param name="body">The writer of the answer's body: it counts the bytes, and leads here.</param>
    /// <param name="bytes">The bytes, which must not change before <see cref="ReclaimAsync"/> has ended.</param>
    /// <returns>False when the writer does not lead here, or the memory is no array: the bytes must be copied.</returns>
    public bool TryLend(PipeWriter body, ReadOnlyMemory<byte> bytes) =>
        !bytes.IsEmpty && MemoryMarshal.TryGetArray(bytes, out _)
            && TryOffer(body, new(bytes, Block: null, IsLent: true), bytes.Length);

    /// <summary>Adds bytes to an answer that are not in memory.</summary>
    /// <param name="body">The writer of the answer's body.</param>
    /// <param name="bytes">The number of bytes, at least 1.</param>
    /// <param name="send">
    /// Sends exactly these bytes, during the next flush. An exception breaks the connection; it is not thrown again.
    /// </param>
    /// <returns>False when the writer does not lead here.</returns>
    public bool TrySend(PipeWriter body, int bytes, Func<Socket, CancellationToken, ValueTask> send) =>
        TryOffer(body, new(default, Block: null, IsLent: true, send), bytes);

    /// <summary>Waits until nothing that was lent is in use. What was lent and not flushed breaks the connection.</summary>
    public async ValueTask ReclaimAsync()
    {
        await WaitIdleAsync();
        if (!_written.Exists(static p => p.IsLent)) return;
        // The answer lacks these bytes, so nothing may follow them.
        Break(new ConnectionAbortedException("An answer ended before its last flush."));
        Release(_written);
    }

    /// <summary>Sends the rest, then releases all memory.</summary>
    public async Task EndAsync()
    {
        await WaitIdleAsync();
        if (!_isBroken && !HasTls) await FlushAsync();
        CloseBlock();
        Release(_written);
    }

    /// <inheritdoc/>
    public override Memory<byte> GetMemory(int sizeHint = 0)
    {
        if (HasTls) return pipe.GetMemory(sizeHint);
        if (_offeringThread == Environment.CurrentManagedThreadId)
        {
            _isClaimed = true;
            return Scratch;
        }
        if (_block is null || _block.Memory.Length - _end < Math.Max(sizeHint, 1))
        {
            CloseBlock();
            _block = sizeHint <= _pool.MaxBufferSize ? _pool.Rent(sizeHint) : MemoryPool<byte>.Shared.Rent(sizeHint);
        }
        return _block.Memory[_end..];
    }

    /// <inheritdoc/>
    public override Span<byte> GetSpan(int sizeHint = 0) => GetMemory(sizeHint).Span;

    /// <inheritdoc/>
    public override void Advance(int bytes)
    {
        if (HasTls)
        {
            pipe.Advance(bytes);
            return;
        }
        _unflushed += bytes;
        if (!_isClaimed || _offeringThread != Environment.CurrentManagedThreadId)
        {
            _end += bytes;
            return;
        }
        CloseSegment(block: null);
        _written.Add(_offered);
    }

    /// <inheritdoc/>
    public override ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
    {
        if (HasTls) return pipe.FlushAsync(cancellationToken);
        if (cancellationToken.IsCancellationRequested) return ValueTask.FromCanceled<FlushResult>(cancellationToken);
        lock (_lock)
        {
            if (_isFlushing) throw new InvalidOperationException("A flush is pending.");
            CloseBlock();
            _unflushed = 0;
            if (_isBroken || _written.Count == 0)
            {
                Release(_written);
                return new(new FlushResult(TakeCancellation(), _isBroken));
            }
            _isFlushing = true;
            (_written, _sending) = (_sending, _written);
        }
        return SendAsync(cancellationToken);
    }

    /// <inheritdoc/>
    public override ValueTask<FlushResult> WriteAsync(ReadOnlyMemory<byte> source, CancellationToken cancellationToken = default) =>
        HasTls ? pipe.WriteAsync(source, cancellationToken) : base.WriteAsync(source, cancellationToken);

    /// <summary>The flush that is pending, or the next one, reports a cancellation. What it sends is sent nevertheless.</summary>
    public override void CancelPendingFlush()
    {
        if (HasTls) pipe.CancelPendingFlush();
        else lock (_lock) _isCancelled = true;
    }

    /// <summary>Does nothing without TLS: the end of the connection sends the rest (<see cref="EndAsync"/>).</summary>
    public override void Complete(Exception? exception = null)
    {
        if (HasTls) pipe.Complete(exception);
        else if (exception is not null) Break(exception);
    }

    private bool TryOffer(PipeWriter body, OutputPiece piece, int bytes)
    {
        // Only a call on this thread claims it: another request on the connection (HTTP/2) may write at the same time.
        (_offered, _offeringThread, _isClaimed) = (piece, Environment.CurrentManagedThreadId, false);
        try
        {
            body.GetMemory();
            if (!_isClaimed) return false;
            body.Advance(bytes);
            return true;
        }
        finally
        {
            (_offered, _offeringThread, _isClaimed) = (default, 0, false);
        }
    }

    /// <summary>Ends a system call that waits for the client; nothing is sent after it.</summary>
    private void Break(Exception reason)
    {
        _isBroken = true;
        connection.Abort(reason as ConnectionAbortedException ?? new ConnectionAbortedException(reason.Message, reason));
    }

    private bool TakeCancellation()
    {
        var isCancelled = _isCancelled;
        _isCancelled = false;
        return isCancelled;
    }

    private ValueTask WaitIdleAsync()
    {
        lock (_lock)
        {
            if (!_isFlushing) return default;
            _idle ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
            return new(_idle.Task);
        }
    }

    private void CloseBlock()
    {
        if (_block is { } block) CloseSegment(block);
        (_block, _start, _end) = (null, 0, 0);
    }

    /// <summary>Ends the piece that is written in the block.</summary>
    private void CloseSegment(IMemoryOwner<byte>? block)
    {
        if (_block is null || block is null && _start == _end) return;
        _written.Add(new(_block.Memory[_start.._end], block, IsLent: false));
        _start = _end;
    }

    private static void Release(List<OutputPiece> pieces)
    {
        foreach (var piece in pieces) piece.Block?.Dispose();
        pieces.Clear();
    }
}
