using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Time.Testing;
using Proxy.Operations;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Operations;

public class SteadyTimeProviderTests
{
    private static readonly DateTimeOffset Noon = new(2026, 1, 1, 12, 0, 0, TimeSpan.Zero);

    private readonly JumpingTimeProvider _machine = new(Noon);

    [Theory]
    [InlineData(24)]
    [InlineData(-24)]
    [InlineData(8760)]
    public void IgnoresCorrectionsOfTheMachinesClock(int hours)
    {
        var time = new SteadyTimeProvider(_machine);
        _machine.Advance(TimeSpan.FromMinutes(1));
        _machine.Jump(TimeSpan.FromHours(hours));
        Assert.Equal(Noon.AddMinutes(1), time.GetUtcNow());
        _machine.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal(Noon.AddMinutes(2), time.GetUtcNow());
    }

    [Fact]
    public async Task UsesTheTimersOfTheMachine()
    {
        var time = new SteadyTimeProvider(_machine);
        var waiting = Task.Delay(TimeSpan.FromMinutes(1), time, TestContext.Current.CancellationToken);
        _machine.Advance(TimeSpan.FromSeconds(59));
        Assert.False(waiting.IsCompleted);
        _machine.Advance(TimeSpan.FromSeconds(1));
        await waiting;
    }

    [Fact]
    public async Task IsTheClockOfTheProxy()
    {
        await using var proxy = new ProxyHost(("east", "http://127.0.0.1:9/dicom-web"));
        await proxy.GetAsync("/health/live");
        Assert.IsType<SteadyTimeProvider>(proxy.Services.GetRequiredService<TimeProvider>());
    }

    /// <summary>A machine whose time of day is corrected while its uptime advances.</summary>
    private sealed class JumpingTimeProvider(DateTimeOffset start) : FakeTimeProvider(start)
    {
        private TimeSpan _jumped;

        public void Jump(TimeSpan by) => _jumped += by;

        public override DateTimeOffset GetUtcNow() => base.GetUtcNow() + _jumped;

        public override long GetTimestamp() => (GetUtcNow() - _jumped).Ticks;
    }
}
