using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Disk;
using Proxy.Tests.Pacs;
using Xunit;

namespace Proxy.Tests.Disk;

/// <summary>Disk operations: a failure returns null, and a late result is disposed.</summary>
public sealed class CacheFolderTests : IDisposable
{
    private readonly string _path = Directory.CreateTempSubdirectory("cache-folder-").FullName;

    private readonly CacheFolder _folder;

    public CacheFolderTests()
    {
        _folder = new(_path, NullLogger<CacheFolder>.Instance);
        _folder.CheckAsync().GetAwaiter().GetResult();
    }

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _folder.Dispose();
        Directory.Delete(_path, recursive: true);
    }

    [Fact]
    public async Task DisposesAResult_ThatArrivesAfterTheCallerLeft()
    {
        using var gate = new ManualResetEventSlim();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(Stopped);
        using var handle = new Handle();
        var running = _folder.RunAsync(
            () =>
            {
                gate.Wait();
                return handle;
            },
            leaving.Token);
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        Assert.False(handle.IsDisposed);
        gate.Set();
        await Until.TrueAsync(() => handle.IsDisposed);
    }

    [Fact]
    public async Task ReturnsAResult_ThatArrivesInTime()
    {
        using var handle = new Handle();
        Assert.Same(handle, await _folder.RunAsync(() => handle, Stopped));
        Assert.False(handle.IsDisposed);
    }

    [Fact]
    public async Task ReturnsNullAndStaysUsable_WhenTheWorkThrows()
    {
        Assert.Null(await _folder.RunAsync<Handle>(() => throw new ArgumentException("a damaged file"), Stopped));
        Assert.True(_folder.State.CanWrite);
        Assert.Null(await _folder.RunAsync<Handle>(() => throw new IOException("the disk"), Stopped));
        Assert.False(_folder.State.CanRead);
    }

    private sealed class Handle : IDisposable
    {
        private volatile bool _isDisposed;

        public bool IsDisposed => _isDisposed;

        public void Dispose() => _isDisposed = true;
    }
}
