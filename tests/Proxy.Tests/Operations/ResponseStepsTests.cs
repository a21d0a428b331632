using System.Buffers;
using System.IO.Pipelines;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Operations;

/// <summary>Answers are written in steps: large for few clients, small for many slow clients.</summary>
public class ResponseStepsTests
{
    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    [Fact]
    public async Task WritesTheBodyAndItsEndInOrder()
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
    public async Task WritesTheEnd_WhenTheBodyIsEmpty()
    {
        var (steps, pipe) = (new ResponseSteps(), NewPipe());
        await steps.WriteAsync(pipe.Writer, default, new byte[] { 7 }, Stopped);
        Assert.Equal([7], await ReadAsync(pipe, 1));
    }

    [Fact]
    public async Task BoundsPendingBytes_WhenAThousandClientsDoNotRead()
    {
        var steps = new ResponseSteps();
        var body = new byte[8 << 20];
        using var disconnected = CancellationTokenSource.CreateLinkedTokenSource(Stopped);
        var clients = Enumerable.Range(0, 1000).Select(_ => new StalledWriter()).ToList();
        var writing = clients.ConvertAll(client => steps.WriteAsync(client, body, default, disconnected.Token).AsTask());

        Assert.InRange(steps.Bytes, ResponseSteps.MaxWithLargeBytes / 2, ResponseSteps.MaxBytes);
        Assert.InRange(clients.Sum(c => c.Bytes), 0, ResponseSteps.MaxBytes + 1000L * ResponseSteps.SmallBytes);
        await disconnected.CancelAsync();
        foreach (var task in writing) await Assert.ThrowsAnyAsync<OperationCanceledException>(() => task);
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

    /// <summary>The output to a client that reads nothing: its first flush never completes.</summary>
    private sealed class StalledWriter : PipeWriter
    {
        private static readonly byte[] Buffer = new byte[1 << 20];

        public long Bytes { get; private set; }

        public override void Advance(int bytes) => Bytes += bytes;

        public override Memory<byte> GetMemory(int sizeHint = 0) => Buffer;

        public override Span<byte> GetSpan(int sizeHint = 0) => Buffer;

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
