using System.Buffers;
using Proxy.Backends;
using Proxy.Operations;

namespace Proxy.Cache;

public sealed partial class InFlightBody
{
    /// <summary>One client's position in the body. Disposing it leaves the fetch.</summary>
    public sealed class Reader(InFlightBody body) : IBody
    {
        private byte[]? _buffer;
        private bool _hasLeft;

        internal long Position { get; private set; }

        /// <inheritdoc/>
        public EntryHead Head => body._receivedHead!;

        /// <inheritdoc/>
        public DateTimeOffset? Stored => null;

        /// <inheritdoc/>
        public bool IsPrefetched => false;

        /// <summary>The head of the body; nothing when it does not exist; or the failure of the backend.</summary>
        public Task<BackendAnswer<EntryHead>> ReadHeadAsync(CancellationToken cancellation) => body._head.Task.WaitAsync(cancellation);

        /// <summary>Ends when the fetch has ended, and a complete body is in the tiers.</summary>
        public Task Ended => body._ended.Task;

        /// <summary>A further reader that begins at the beginning; null when it is too late for that.</summary>
        public Reader? JoinAgain() => body.Join();

        /// <inheritdoc/>
        public async ValueTask<ReadOnlyMemory<byte>> ReadAsync(CancellationToken cancellation)
        {
            while (true)
            {
                Task? changed = null;
                lock (body._lock)
                {
                    if (body._failure is not null) throw new TruncatedBodyException();
                    if (Position < body._written)
                    {
                        if (body._pieces.FindLast(p => p.Start <= Position && Position < p.End) is { } piece) return Next(piece);
                    }
                    else
                    {
                        if (body._isDone) return default;
                        changed = body.WaitForChange();
                    }
                }
                if (changed is null) return await ReadBehindAsync(cancellation);
                await changed.WaitAsync(cancellation);
            }
        }

        /// <inheritdoc/>
        public ValueTask MoveToAsync(long offset, CancellationToken cancellation)
        {
            lock (body._lock)
            {
                if (offset > Position) Move(offset - Position);
            }
            return default;
        }

        /// <summary>
        /// Lets the fetch continue to its end after this reader, so that the body is cached although this reader needs no more of it. A
        /// window is not cached, and ends.
        /// </summary>
        public void KeepFetching()
        {
            lock (body._lock) body._isKept = true;
        }

        /// <inheritdoc/>
        public void Dispose()
        {
            if (_hasLeft) return;
            _hasLeft = true;
            body.Leave(this);
            if (_buffer is not null) ArrayPool<byte>.Shared.Return(_buffer);
        }

        private ReadOnlyMemory<byte> Next(Piece piece)
        {
            var bytes = piece.Bytes.AsMemory((int)(Position - piece.Start)..piece.Filled);
            Move(bytes.Length);
            return bytes;
        }

        /// <summary>Reads the part that is no longer in memory from the file.</summary>
        private async Task<ReadOnlyMemory<byte>> ReadBehindAsync(CancellationToken cancellation)
        {
            // An operation that outlasts its caller still writes into the array: it returns to the pool only after an operation has ended.
            var rented = Interlocked.Exchange(ref _buffer, null) ?? ArrayPool<byte>.Shared.Rent(FirstPieceBytes);
            var count = await body._spool!.ReadAsync(
                Position, rented.AsMemory(0, (int)Math.Min(rented.Length, body._spooled - Position)), cancellation);
            if (count == 0) throw new TruncatedBodyException();
            _buffer = rented;
            lock (body._lock) Move(count);
            return rented.AsMemory(0, count);
        }

        private void Move(long count)
        {
            Position += count;
            if (body._isWindow) body.Signal();
        }
    }
}
