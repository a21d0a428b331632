using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Proxy.Operations;

/// <summary>Blocks for the server's connections, larger than its own of 4 KiB: a frame leaves in few pieces instead of a hundred.</summary>
/// <remarks>
/// <para>
/// A connection holds a block only while something of a request or an answer lies in it: one that is idle waits without
/// any. So what is out at a time goes with what is in flight, and a burst is not paid for ever: what nobody needed since
/// the last look is given up. <see cref="ResponseSteps"/> bounds what is out in large steps; beyond what these need,
/// blocks are smaller, so that thousands of slow clients hold little each.
/// </para>
/// <para>
/// The server makes a pool for each of its queues; all of them draw from the same blocks, so that the bound is one.
/// </para>
/// </remarks>
public sealed class BlockPool : IMemoryPoolFactory<byte>, IDisposable
{
    /// <summary>A frame of 512 KiB is eight of them; with twice the size nothing more is won.</summary>
    public const int BlockBytes = 64 * 1024;

    /// <summary>While more than <see cref="MostKeptBytes"/> are out.</summary>
    public const int SmallBlockBytes = 16 * 1024;

    /// <summary>The most in blocks of <see cref="BlockBytes"/> at once, and the most that is kept for later of each size.</summary>
    public const int MostKeptBytes = 96 * 1024 * 1024;

    private static readonly TimeSpan CheckInterval = TimeSpan.FromSeconds(10);

    private readonly Shelf _large = new(BlockBytes);
    private readonly Shelf _small = new(SmallBlockBytes);
    private readonly ITimer _looking;

    public BlockPool(TimeProvider time) =>
        _looking = time.CreateTimer(static pool => ((BlockPool)pool!).GiveUp(), this, CheckInterval, CheckInterval);

    /// <summary>Blocks of <see cref="BlockBytes"/> that are kept for later.</summary>
    public int Free => _large.Free;

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new Pool(this);

    public void Dispose() => _looking.Dispose();

    private Block Take(int least) => (least <= SmallBlockBytes && _large.IsExhausted ? _small : _large).Take();

    private void GiveUp()
    {
        _large.GiveUp();
        _small.GiveUp();
    }

    private sealed class Pool(BlockPool blocks) : MemoryPool<byte>
    {
        public override int MaxBufferSize => BlockBytes;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
            return blocks.Take(minBufferSize);
        }

        /// <summary>The blocks are not its own.</summary>
        protected override void Dispose(bool disposing)
        {
        }
    }

    /// <summary>The blocks of one size.</summary>
    private sealed class Shelf(int size)
    {
        private readonly Lock _lock = new();
        private readonly Stack<byte[]> _free = new();
        private int _out;

        /// <summary>The fewest that were free at any moment since the last look: nobody needed these.</summary>
        private int _leastFree;

        public int Free
        {
            get
            {
                lock (_lock) return _free.Count;
            }
        }

        /// <summary>As many are out as may be kept.</summary>
        public bool IsExhausted => Volatile.Read(ref _out) >= MostKeptBytes / size;

        public Block Take()
        {
            lock (_lock)
            {
                _out++;
                if (_free.TryPop(out var block))
                {
                    _leastFree = Math.Min(_leastFree, _free.Count);
                    return new(this, block);
                }
            }
            // The system reads and writes it while it is out: it must not be moved.
            return new(this, GC.AllocateUninitializedArray<byte>(size, pinned: true));
        }

        public void GiveBack(byte[] block)
        {
            lock (_lock)
            {
                _out--;
                if (_free.Count < MostKeptBytes / size) _free.Push(block);
            }
        }

        public void GiveUp()
        {
            lock (_lock)
            {
                for (; _leastFree > 0; _leastFree--) _free.Pop();
                _leastFree = _free.Count;
            }
        }
    }

    /// <summary>One renting: given back twice, the second time is nothing, whoever has the bytes by then.</summary>
    private sealed class Block(Shelf shelf, byte[] bytes) : IMemoryOwner<byte>
    {
        private byte[]? _bytes = bytes;

        public Memory<byte> Memory { get; } = MemoryMarshal.CreateFromPinnedArray(bytes, 0, bytes.Length);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _bytes, null) is { } back) shelf.GiveBack(back);
        }
    }
}
