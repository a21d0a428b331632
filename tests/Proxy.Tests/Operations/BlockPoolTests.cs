using System.Buffers;
using Microsoft.Extensions.Time.Testing;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Operations;

/// <summary>The server's blocks: nobody gets what another has, and what nobody needs goes.</summary>
public sealed class BlockPoolTests : IDisposable
{
    private const int MostKept = BlockPool.MostKeptBytes / BlockPool.BlockBytes;

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
    public void ABlockIsAsLargeAsTheyAllAre(int least)
    {
        using var block = _pool.Rent(least);

        Assert.Equal(BlockPool.BlockBytes, block.Memory.Length);
    }

    [Fact]
    public void MoreThanABlockIsRefused() => Assert.Throws<ArgumentOutOfRangeException>(() => _pool.Rent(_pool.MaxBufferSize + 1));

    [Fact]
    public void WhatIsGivenBackIsUsedAgain_ByEveryPoolOfTheServer()
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
    public void GivenBackTwice_ItIsThereOnce()
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
    public void NoMoreIsKeptThanTheBound()
    {
        var many = Enumerable.Range(0, MostKept + 10).Select(_ => _pool.Rent()).ToList();
        foreach (var block in many) block.Dispose();

        Assert.Equal(MostKept, _blocks.Free);
    }

    [Fact]
    public void WhatNobodyNeedsForAWhile_IsGivenUp()
    {
        var burst = Enumerable.Range(0, 100).Select(_ => _pool.Rent()).ToList();
        foreach (var block in burst) block.Dispose();
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(100, _blocks.Free);

        // Three at a time are enough from now on.
        for (var i = 0; i < 50; i++)
        {
            var some = Enumerable.Range(0, 3).Select(_ => _pool.Rent()).ToList();
            foreach (var block in some) block.Dispose();
        }
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(3, _blocks.Free);

        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(0, _blocks.Free);
    }

    [Fact]
    public async Task NobodyGetsWhatAnotherHas()
    {
        var wrong = 0;
        await Parallel.ForAsync(0, 8, (worker, _) =>
        {
            var random = new Random(worker);
            for (var round = 0; round < 2000; round++)
            {
                var mine = Enumerable.Range(0, random.Next(1, 5)).Select(_ => _pool.Rent()).ToList();
                foreach (var block in mine) block.Memory.Span[..64].Fill((byte)worker);
                Thread.Yield();
                foreach (var block in mine)
                {
                    if (block.Memory.Span[..64].ContainsAnyExcept((byte)worker)) Interlocked.Increment(ref wrong);
                    block.Dispose();
                    if (random.Next(10) == 0) block.Dispose();
                }
                if (random.Next(200) == 0) _time.Advance(TimeSpan.FromSeconds(10));
            }
            return ValueTask.CompletedTask;
        });

        Assert.Equal(0, wrong);
        Assert.InRange(_blocks.Free, 0, 8 * 4);
    }
}
