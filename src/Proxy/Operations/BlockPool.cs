using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.AspNetCore.Connections;

namespace Proxy.Operations;

/// <summary>Blocks for the server's connections, larger than its own of 4 KiB: a frame leaves in few pieces instead of a hundred.</summary>
/// <remarks>
/// <para>
/// A connection holds a block only while something of a request or an answer lies in it: one that is idle waits without
/// any. So what is out at a time goes with what is in flight, and a burst is not paid for ever: what nobody needed since
/// the last look is given up. The bound is beyond what two hundred clients have in flight who read a CT frame each, some
/// 120 MiB: were it below, blocks would be made and thrown away under load faster than they are collected, and twice the
/// memory would be held.
/// </para>
/// <para>
/// The server makes a pool for each of its queues; all of them draw from the same blocks, so that the bound is one.
/// </para>
/// </remarks>
public sealed class BlockPool : IMemoryPoolFactory<byte>, IDisposable
{
    /// <summary>A frame of 512 KiB is eight of them; with twice the size nothing more is won.</summary>
    public const int BlockBytes = 64 * 1024;

    /// <summary>The most that is kept for later, in bytes.</summary>
    public const int MostKeptBytes = 256 * 1024 * 1024;

    private static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(10);

    private readonly Lock _lock = new();
    private readonly Stack<byte[]> _free = new();
    private readonly ITimer _looking;

    /// <summary>The fewest that were free at any moment since the last look: nobody needed these.</summary>
    private int _leastFree;

    public BlockPool(TimeProvider time) => _looking = time.CreateTimer(static pool => ((BlockPool)pool!).GiveUp(), this, LookEvery, LookEvery);

    /// <summary>Blocks that are kept for later.</summary>
    public int Free
    {
        get
        {
            lock (_lock) return _free.Count;
        }
    }

    public MemoryPool<byte> Create(MemoryPoolOptions? options = null) => new Pool(this);

    public void Dispose() => _looking.Dispose();

    private byte[] Take()
    {
        lock (_lock)
        {
            if (_free.TryPop(out var block))
            {
                _leastFree = Math.Min(_leastFree, _free.Count);
                return block;
            }
        }
        // The system reads and writes it while it is out: it must not be moved.
        return GC.AllocateUninitializedArray<byte>(BlockBytes, pinned: true);
    }

    private void GiveBack(byte[] block)
    {
        lock (_lock)
        {
            if (_free.Count < MostKeptBytes / BlockBytes) _free.Push(block);
        }
    }

    private void GiveUp()
    {
        lock (_lock)
        {
            for (; _leastFree > 0; _leastFree--) _free.Pop();
            _leastFree = _free.Count;
        }
    }

    private sealed class Pool(BlockPool blocks) : MemoryPool<byte>
    {
        public override int MaxBufferSize => BlockBytes;

        public override IMemoryOwner<byte> Rent(int minBufferSize = -1)
        {
            ArgumentOutOfRangeException.ThrowIfGreaterThan(minBufferSize, BlockBytes);
            return new Block(blocks, blocks.Take());
        }

        /// <summary>The blocks are not its own.</summary>
        protected override void Dispose(bool disposing)
        {
        }
    }

    /// <summary>One renting: given back twice, the second time is nothing, whoever has the bytes by then.</summary>
    private sealed class Block(BlockPool blocks, byte[] bytes) : IMemoryOwner<byte>
    {
        private byte[]? _bytes = bytes;

        public Memory<byte> Memory { get; } = MemoryMarshal.CreateFromPinnedArray(bytes, 0, BlockBytes);

        public void Dispose()
        {
            if (Interlocked.Exchange(ref _bytes, null) is { } back) blocks.GiveBack(back);
        }
    }
}
