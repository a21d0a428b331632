using System.IO.Pipelines;
using Microsoft.Extensions.Time.Testing;
using Proxy.Backends.Transport;
using Xunit;

namespace Proxy.Tests.Backends;

public sealed class TimedStreamTests : IDisposable
{
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan JustUnderTimeout = ReadTimeout - TimeSpan.FromMilliseconds(1);

    private static CancellationToken Stopped => TestContext.Current.CancellationToken;

    private readonly FakeTimeProvider _time = new();
    private readonly Pipe _line = new();
    private readonly CancellationTokenSource _cancel = new();
    private readonly TimedStream _stream;
    private readonly byte[] _buffer = new byte[10];

    public TimedStreamTests() => _stream = new(_line.Reader.AsStream(), ReadTimeout, _time, _cancel.Token);

    public void Dispose()
    {
        _stream.Dispose();
        _cancel.Dispose();
    }

    [Fact]
    public async Task AcceptsALongBody_WhileItKeepsArriving()
    {
        var buffer = new byte[100_000];
        for (var i = 0; i < 10; i++)
        {
            var reading = _stream.ReadAsync(buffer, Stopped).AsTask();
            _time.Advance(JustUnderTimeout);
            Assert.False(reading.IsCompleted);
            await _line.Writer.WriteAsync(new byte[40_000], Stopped);
            Assert.Equal(40_000, await reading);
        }
        await _line.Writer.CompleteAsync();
        Assert.Equal(0, await _stream.ReadAsync(buffer, Stopped));
    }

    [Fact]
    public async Task TimesOut_WhenABodyIsTooSlow()
    {
        await Assert.ThrowsAsync<TimeoutException>(async () =>
        {
            for (var seconds = 0; seconds <= 60; seconds++) await DripAsync(1000);
        });
    }

    [Fact]
    public async Task AcceptsABodyAtTheMinimumRate()
    {
        for (var seconds = 0; seconds <= 300; seconds++) await DripAsync(TimedStream.MinBytesPerSecond);
    }

    [Fact]
    public async Task AcceptsASmallSlowBody()
    {
        for (var seconds = 0; seconds < 59; seconds++) await DripAsync(1);
        await _line.Writer.CompleteAsync();
        Assert.Equal(0, await _stream.ReadAsync(_buffer, Stopped));
    }

    [Fact]
    public async Task TimesOut_WhenABodyStops()
    {
        var reading = _stream.ReadAsync(_buffer, Stopped).AsTask();
        _time.Advance(ReadTimeout);
        await Assert.ThrowsAsync<TimeoutException>(() => reading);
    }

    [Fact]
    public async Task DoesNotCountTheReadersOwnTime()
    {
        await _line.Writer.WriteAsync(new byte[] { 1 }, Stopped);
        Assert.Equal(1, await _stream.ReadAsync(_buffer, Stopped));
        _time.Advance(ReadTimeout * 10);
        var reading = _stream.ReadAsync(_buffer, Stopped).AsTask();
        _time.Advance(JustUnderTimeout);
        await _line.Writer.WriteAsync(new byte[] { 2 }, Stopped);
        Assert.Equal(1, await reading);
    }

    [Fact]
    public async Task ReportsCancellation_WhenTheCallerCancels()
    {
        var reading = _stream.ReadAsync(_buffer, Stopped).AsTask();
        await _cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
    }

    [Fact]
    public async Task ReportsTheFault_WhenTheConnectionBreaks()
    {
        var reading = _stream.ReadAsync(_buffer, Stopped).AsTask();
        await _line.Writer.CompleteAsync(new IOException("reset"));
        await Assert.ThrowsAsync<IOException>(() => reading);
    }

    private async Task DripAsync(int bytes)
    {
        var buffer = new byte[bytes];
        var reading = _stream.ReadAsync(buffer, Stopped).AsTask();
        _time.Advance(TimeSpan.FromSeconds(1));
        await _line.Writer.WriteAsync(new byte[bytes], Stopped);
        Assert.Equal(bytes, await reading);
    }
}
