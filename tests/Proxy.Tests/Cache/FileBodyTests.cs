using System.Buffers;
using System.Diagnostics;
using Proxy.Cache;
using Proxy.Cache.OnDisk;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Cache;

/// <summary>A body on a disk that is slower than its client.</summary>
public sealed class FileBodyTests : IAsyncDisposable
{
    private const int Bytes = 64 * 1024;

    private readonly DiskLab _disk = new();

    public ValueTask DisposeAsync() => _disk.DisposeAsync();

    /// <summary>A defect shows in about one of 200 rounds: each client leaves at a random time, often during the read.</summary>
    [Fact]
    public async Task WritesIntoNoArrayOfAnotherRequest_WhenItsClientLeavesDuringARead()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Other systems have no file that takes long to read.");
        await Until.TrueAsync(() => _disk.Folder.State.CanRead);
        var random = new Random(1);
        var found = new EntryFile.Found(
            DiskLab.Key(1, 1), new EntryHead("application/octet-stream", null, Bytes), 0, Bytes, default, DiskLab.Stored, false);
        // An array that returns to the pool is the next one of its thread.
        await Task.Factory.StartNew(ReadAll, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);

        void ReadAll()
        {
            for (var round = 0; round < 2000; round++)
            {
                var file = File.OpenHandle("/dev/urandom", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
                var body = new FileBody(_disk.Folder, new OpenFile(file, found, "/dev/urandom"), found);
                using var client = new CancellationTokenSource();
                var reading = body.ReadAsync(client.Token).AsTask();
                Spin(random.Next(300));
                client.Cancel();
                SpinWait.SpinUntil(() => reading.IsCompleted);
                body.Dispose();
                if (!reading.IsCanceled) continue;
                var other = ArrayPool<byte>.Shared.Rent(Bytes);
                Array.Clear(other);
                Spin(300);
                Assert.False(other.AsSpan().ContainsAnyExcept((byte)0));
                ArrayPool<byte>.Shared.Return(other);
            }
        }
    }

    private static void Spin(int microseconds)
    {
        for (var end = Stopwatch.GetTimestamp() + microseconds * Stopwatch.Frequency / 1_000_000; Stopwatch.GetTimestamp() < end;)
            Thread.SpinWait(20);
    }
}
