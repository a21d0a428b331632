using System.Buffers;
using System.IO.Pipelines;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Operations;

/// <summary>Answers leave in steps: few clients get large ones, many who do not read hold little.</summary>
public class ResponseStepsTests
{
    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    [Fact]
    public async Task EveryByteLeavesInOrder_WithItsEnd()
    {
        var (steps, pipe) = (new ResponseSteps(), NewPipe());
        var body = new byte[3_000_000];
        new Random(1).NextBytes(body);
        var writing = steps.WriteAsync(pipe.Writer, body, new byte[] { 7, 8 }, Stopped);
        Assert.Equal([.. body, 7, 8], await ReadAsync(pipe, body.Length + 2));
        await writing;
        Assert.Equal(0, steps.Bytes);
    }

    [Fact]
    public async Task AnEmptyBodyHasAnEndToo()
    {
        var (steps, pipe) = (new ResponseSteps(), NewPipe());
        await steps.WriteAsync(pipe.Writer, default, new byte[] { 7 }, Stopped);
        Assert.Equal([7], await ReadAsync(pipe, 1));
    }

    [Fact]
    public async Task AThousandWhoDoNotRead_HoldABoundedSum()
    {
        var steps = new ResponseSteps();
        var body = new byte[8 << 20];
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Stopped);
        var clients = Enumerable.Range(0, 1000).Select(_ => new Counted()).ToList();
        var writing = clients.ConvertAll(client => steps.WriteAsync(client, body, default, leaving.Token).AsTask());

        Assert.InRange(steps.Bytes, ResponseSteps.MostInLarge / 2, ResponseSteps.MostInAll);
        Assert.InRange(clients.Sum(c => c.Bytes), 0, ResponseSteps.MostInAll + 1000L * ResponseSteps.SmallestBytes);
        await leaving.CancelAsync();
        foreach (var one in writing) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => one);
        Assert.Equal(0, steps.Bytes);
    }

    private static Pipe NewPipe() => new(new PipeOptions(pauseWriterThreshold: 32 * 1024, resumeWriterThreshold: 16 * 1024));

    private static async Task<byte[]> ReadAsync(Pipe pipe, int length)
    {
        var read = await pipe.Reader.ReadAtLeastAsync(Math.Min(length, 1), Stopped);
        var bytes = new List<byte>(length);
        while (true)
        {
            bytes.AddRange(read.Buffer.ToArray());
            pipe.Reader.AdvanceTo(read.Buffer.End);
            if (bytes.Count >= length) return [.. bytes];
            read = await pipe.Reader.ReadAsync(Stopped);
        }
    }

    /// <summary>A client that takes nothing: its first flush never ends.</summary>
    private sealed class Counted : PipeWriter
    {
        private static readonly byte[] Room = new byte[1 << 20];

        public long Bytes { get; private set; }

        public override void Advance(int bytes) => Bytes += bytes;

        public override Memory<byte> GetMemory(int sizeHint = 0) => Room;

        public override Span<byte> GetSpan(int sizeHint = 0) => Room;

        public override async ValueTask<FlushResult> FlushAsync(CancellationToken cancellationToken = default)
        {
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancellationToken);
            return default;
        }

        public override void CancelPendingFlush()
        {
        }

        public override void Complete(Exception? exception = null)
        {
        }
    }
}
