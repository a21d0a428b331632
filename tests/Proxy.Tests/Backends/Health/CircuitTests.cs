using System.Net;
using Microsoft.Extensions.Time.Testing;
using Polly.CircuitBreaker;
using Proxy.Backends;
using Proxy.Backends.Health;
using Xunit;

namespace Proxy.Tests.Backends.Health;

public class CircuitTests
{
    private static readonly BackendFailure Outage = new("east", BackendError.Unreachable, "ConnectionError");

    private readonly FakeTimeProvider _time = new();

    private readonly List<CircuitState> _changes = [];

    private readonly Circuit _circuit;

    public CircuitTests() => _circuit = new(_time, _changes.Add);

    [Fact]
    public void OpensAtTheFifthOutageRunning()
    {
        Fail(4);
        Assert.True(_circuit.IsClosed);
        Fail(1);
        Assert.False(_circuit.IsClosed);
        Assert.Equal([CircuitState.Open], _changes);
    }

    [Fact]
    public void OpensHoweverSeldomItIsAsked()
    {
        for (var i = 0; i < 5; i++)
        {
            Fail(1);
            _time.Advance(TimeSpan.FromMinutes(5));
        }
        Assert.Equal([CircuitState.Open], _changes);
    }

    [Fact]
    public void OpensAtOnce_WhenABusyBackendDies()
    {
        for (var i = 0; i < 100_000; i++) _circuit.Record(null);
        Fail(5);
        Assert.False(_circuit.IsClosed);
    }

    [Fact]
    public void StaysClosed_WhileGoodAnswersComeInBetween()
    {
        for (var i = 0; i < 20; i++)
        {
            Fail(4);
            _circuit.Record(null);
        }
        Assert.Empty(_changes);
    }

    [Theory]
    [InlineData(BackendError.BadAnswer, null)]
    [InlineData(BackendError.Refused, HttpStatusCode.Unauthorized)]
    [InlineData(BackendError.BadStatus, HttpStatusCode.BadRequest)]
    [InlineData(BackendError.BadStatus, HttpStatusCode.NotFound)]
    public void StaysClosed_WhenAnswersAreBad_AndComeAtOnce(BackendError error, HttpStatusCode? status)
    {
        for (var i = 0; i < 20; i++) _circuit.Record(new("east", error, "bad", status));
        Assert.Empty(_changes);
    }

    [Theory]
    [InlineData(BackendError.TimedOut, null)]
    [InlineData(BackendError.BadStatus, HttpStatusCode.ServiceUnavailable)]
    [InlineData(BackendError.BadStatus, HttpStatusCode.TooManyRequests)]
    public void OpensForAllThatSpeaksOfAnOutage(BackendError error, HttpStatusCode? status)
    {
        for (var i = 0; i < 5; i++) _circuit.Record(new("east", error, "out", status));
        Assert.Equal([CircuitState.Open], _changes);
    }

    [Fact]
    public void ClosesWhenTheBackendAnswersAgain_AfterTheBreak()
    {
        Fail(5);
        _circuit.Record(null);
        Assert.False(_circuit.IsClosed);
        Assert.False(_circuit.IsProbeDue);

        _time.Advance(TimeSpan.FromSeconds(1.1));
        Assert.True(_circuit.IsProbeDue);
        _circuit.Record(null);

        Assert.True(_circuit.IsClosed);
        Assert.Equal([CircuitState.Open, CircuitState.Closed], _changes);
        Fail(4);
        Assert.True(_circuit.IsClosed);
    }

    [Fact]
    public void ABackendThatStaysOut_IsAskedMoreAndMoreSeldom()
    {
        Fail(5);
        var breaks = new List<int>();
        for (var probes = 0; probes < 6; probes++)
        {
            var seconds = 0;
            for (; !_circuit.IsProbeDue; seconds++) _time.Advance(TimeSpan.FromSeconds(1));
            breaks.Add(seconds);
            Fail(1);
        }
        Assert.Equal(breaks.Order(), breaks);
        Assert.InRange(breaks[0], 1, 2);
        Assert.InRange(breaks[^1], 5, 6);
        Assert.Equal([CircuitState.Open], _changes);
    }

    private void Fail(int times)
    {
        for (var i = 0; i < times; i++) _circuit.Record(Outage);
    }
}
