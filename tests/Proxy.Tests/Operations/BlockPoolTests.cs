using System.Buffers;
using Microsoft.Extensions.Time.Testing;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Operations;

/// <summary>The memory blocks of connections: never shared, and freed when unused.</summary>
public sealed class BlockPoolTests : IDisposable
{
    private const int MaxFree = BlockPool.MaxFreeBytes / BlockPool.BlockBytes;

    private readonly FakeTimeProvider _time = new();

    private readonly BlockPool _blocks;

    private readonly MemoryPool<byte> _pool;

    public BlockPoolTests()
    {
        _blocks = new(_time);
        _pool = _blocks.Create();
    }

    public void Dispose()
    {
        _pool.Dispose();
        _blocks.Dispose();
    }

    [Theory]
    [InlineData(-1)]
    [InlineData(0)]
    [InlineData(4096)]
    [InlineData(BlockPool.BlockBytes)]
    public void RentsBlocksOfOneSize(int minBytes)
    {
        using var block = _pool.Rent(minBytes);

        Assert.Equal(BlockPool.BlockBytes, block.Memory.Length);
    }

    [Fact]
    public void Throws_WhenMoreThanABlockIsRequested() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => _pool.Rent(_pool.MaxBufferSize + 1));

    [Fact]
    public void ReusesReturnedBlocks_AcrossThePoolsOfTheServer()
    {
        var first = _pool.Rent();
        first.Memory.Span[0] = 42;
        first.Dispose();
        using var other = _blocks.Create();

        using var second = other.Rent();

        Assert.Equal(42, second.Memory.Span[0]);
        Assert.Equal(0, _blocks.Free);
    }

    [Fact]
    public void ReturnsABlockOnce_WhenItIsDisposedTwice()
    {
        var first = _pool.Rent();
        first.Dispose();
        first.Dispose();
        Assert.Equal(1, _blocks.Free);

        using var second = _pool.Rent();
        first.Dispose();

        using var third = _pool.Rent();
        Assert.False(second.Memory.Span.Overlaps(third.Memory.Span));
    }

    [Fact]
    public void BoundsTheFreeBlocks()
    {
        var blocks = Enumerable.Range(0, MaxFree + 10).Select(_ => _pool.Rent()).ToList();
        foreach (var block in blocks) block.Dispose();

        Assert.Equal(MaxFree, _blocks.Free);
    }

    [Fact]
    public void FreesBlocks_WhenTheyStayUnused()
    {
        var burst = Enumerable.Range(0, 100).Select(_ => _pool.Rent()).ToList();
        foreach (var block in burst) block.Dispose();
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(100, _blocks.Free);

        // From now on, three blocks are in use at a time.
        for (var i = 0; i < 50; i++)
        {
            var three = Enumerable.Range(0, 3).Select(_ => _pool.Rent()).ToList();
            foreach (var block in three) block.Dispose();
        }
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(3, _blocks.Free);

        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(0, _blocks.Free);
    }

    [Fact]
    public async Task NeverRentsABlockTwice_WhenManyThreadsRent()
    {
        var shared = 0;
        await Parallel.ForAsync(0, 8, (worker, _) =>
        {
            var random = new Random(worker);
            for (var round = 0; round < 2000; round++)
            {
                var rented = Enumerable.Range(0, random.Next(1, 5)).Select(_ => _pool.Rent()).ToList();
                foreach (var block in rented) block.Memory.Span[..64].Fill((byte)worker);
                Thread.Yield();
                foreach (var block in rented)
                {
                    if (block.Memory.Span[..64].ContainsAnyExcept((byte)worker)) Interlocked.Increment(ref shared);
                    block.Dispose();
                    if (random.Next(10) == 0) block.Dispose();
                }
                if (random.Next(200) == 0) _time.Advance(TimeSpan.FromSeconds(10));
            }
            return ValueTask.CompletedTask;
        });

        Assert.Equal(0, shared);
        Assert.InRange(_blocks.Free, 0, 8 * 4);
    }
}
