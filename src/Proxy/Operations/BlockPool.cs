using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Proxy.Operations;

/// <summary>The memory pool of Kestrel's connections. Its 64 KiB blocks send a frame in few writes; Kestrel's own have 4 KiB.</summary>
/// <remarks>
/// <para>
/// A connection holds a block only while the block contains data of a request or an answer; an idle connection holds
/// none. The number of rented blocks therefore follows the traffic, and a periodic check frees the blocks that stayed
/// unused since the last check. <see cref="ResponseSteps"/> bounds the memory in large steps; above that bound the pool
/// rents small blocks, so that thousands of slow clients hold little each.
/// </para>
/// <para>
/// Kestrel creates a pool for each of its I/O queues. All of them share the same blocks and the same bound.
/// </para>
/// </remarks>
public sealed class BlockPool : IMemoryPoolFactory<byte>, IDisposable
{
    /// <summary>The size of a large block. A frame of 512 KiB takes eight; larger blocks gain nothing more.</summary>
    public const int BlockBytes = 64 * 1024;

    /// <summary>The size of a small block, rented while large blocks of <see cref="MaxFreeBytes"/> in total are in use.</summary>
    public const int SmallBlockBytes = 16 * 1024;

    /// <summary>The maximum total of large blocks in use, and the maximum total of free blocks per size.</summary>
    public const int MaxFreeBytes = 96 * 1024 * 1024;

    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(10);

    private readonly Shelf _large = new(BlockBytes);
    private readonly Shelf _small = new(SmallBlockBytes);
    private readonly ITimer _timer;

    /// <summary>Starts the periodic check that frees unused blocks.</summary>
    public BlockPool(TimeProvider time) =>
        _timer = time.CreateTimer(static pool => ((BlockPool)pool!).Trim(), this, CheckInterval, CheckInterval);

    /// <summary>The number of free blocks of <see cref="BlockBytes"/>.</summary>
    public int Free => _large.Free;

    /// <inheritdoc/>
    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new Pool(this);

    /// <summary>Stops the periodic check.</summary>
    public void Dispose() => _timer.Dispose();

    private Block Rent(int minBytes) => (minBytes <= SmallBlockBytes && _large.IsExhausted ? _small : _large).Rent();

    private void Trim()
    {
        _large.Trim();
        _small.Trim();
    }

    private sealed class Pool(BlockPool blocks) : MemoryPool<byte>
    {
        public override int MaxBufferSize => BlockBytes;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
            return blocks.Rent(minBufferSize);
        }

        /// <summary>Does nothing: the blocks belong to the <see cref="BlockPool"/>.</summary>
        protected override void Dispose(bool disposing)
        {
        }
    }

    /// <summary>The blocks of one size.</summary>
    private sealed class Shelf(int size)
    {
        private readonly Lock _lock = new();
        private readonly Stack<byte[]> _free = new();
        private int _rented;

        /// <summary>The lowest number of free blocks since the last check: these blocks stayed unused.</summary>
        private int _minFree;

        public int Free
        {
            get
            {
                lock (_lock) return _free.Count;
            }
        }

        /// <summary>Whether the blocks in use reach the bound.</summary>
        public bool IsExhausted => Volatile.Read(ref _rented) >= MaxFreeBytes / size;

        public Block Rent()
        {
            lock (_lock)
            {
                _rented++;
                if (_free.TryPop(out var block))
                {
                    _minFree = Math.Min(_minFree, _free.Count);
                    return new(this, block);
                }
            }
            // Pinned: socket calls read and write the block while it is rented.
            return new(this, GC.AllocateUninitializedArray<byte>(size, pinned: true));
        }

        public void Return(byte[] block)
        {
            lock (_lock)
            {
                _rented--;
                if (_free.Count < MaxFreeBytes / size) _free.Push(block);
            }
        }

        public void Trim()
        {
            lock (_lock)
            {
                for (; _minFree > 0; _minFree--) _free.Pop();
                _minFree = _free.Count;
            }
        }
    }

    /// <summary>One rental. A second disposal has no effect, even if the bytes are rented again by then.</summary>
    private sealed class Block(Shelf shelf, byte[] bytes) : IMemoryOwner<byte>
    {
        private byte[]? _bytes = bytes;

        public Memory<byte> Memory { get; } = MemoryMarshal.CreateFromPinnedArray(bytes, 0, bytes.Length);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _bytes, null) is { } block) shelf.Return(block);
        }
    }
}
