using Microsoft.Extensions.Time.Testing;
using Polly.CircuitBreaker;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Backends.Health;

public class CircuitTests
{
    private static readonly BackendFailure NoConnection =
        new("east", BackendError.Unreachable, "ConnectionError") { IsConnectionFailure = true };

    private static readonly BackendFailure Broken = new("east", BackendError.BadStatus, "status 500", ErrorStatus.ServerError);

    private static readonly BackendFailure Late = new("east", BackendError.TimedOut, "no answer in time");

    private readonly FakeTimeProvider _time = new();

    private readonly List<CircuitState> _changes = [];

    private readonly Circuit _circuit;

    public CircuitTests() => _circuit = new(_time, _changes.Add);

    [Fact]
    public void OpensWithoutAProbe_AfterFiveConsecutiveConnectionFailures()
    {
        Fail(4);
        Assert.True(_circuit.IsClosed);
        Assert.Null(_circuit.Cause);
        Fail(1);
        Assert.False(_circuit.IsClosed);
        Assert.Equal(NoConnection, _circuit.Cause);
        Assert.Equal([CircuitState.Open], _changes);
    }

    [Fact]
    public void Opens_WhenRequestsAreRare()
    {
        for (var i = 0; i < 5; i++)
        {
            Fail(1);
            _time.Advance(TimeSpan.FromHours(5));
        }
        Assert.Equal([CircuitState.Open], _changes);
    }

    [Fact]
    public void Opens_WhenABusyBackendFails()
    {
        for (var i = 0; i < 100_000; i++) _circuit.Record(null, FailureScope.Study);
        Fail(5);
        Assert.False(_circuit.IsClosed);
    }

    [Fact]
    public void StaysClosed_WhenAnswersSucceedInBetween()
    {
        for (var i = 0; i < 20; i++)
        {
            Fail(4);
            _circuit.Record(null, FailureScope.Study);
        }
        Assert.Empty(_changes);
    }

    [Theory]
    [InlineData(BackendError.BadAnswer, ErrorStatus.None)]
    [InlineData(BackendError.Refused, ErrorStatus.Rejected)]
    [InlineData(BackendError.BadStatus, ErrorStatus.BadRequest)]
    [InlineData(BackendError.BadStatus, ErrorStatus.NotFound)]
    [InlineData(BackendError.BadStatus, ErrorStatus.NotImplemented)]
    [InlineData(BackendError.Overloaded, ErrorStatus.Other)]
    [InlineData(BackendError.Overloaded, ErrorStatus.Unavailable)]
    [InlineData(BackendError.NotGiven, ErrorStatus.ServerError)]
    [InlineData(BackendError.Busy, ErrorStatus.None)]
    public void AsksForNoProbe_WhenTheBackendAnswersAtOnceOrWasNotAsked(BackendError error, ErrorStatus status)
    {
        for (var i = 0; i < 20; i++) _circuit.Record(new("east", error, "bad", status), FailureScope.Search);
        Assert.Empty(_changes);
        Assert.False(_circuit.IsProbeDue);
    }

    [Fact]
    public void AsksForAProbe_AfterFiveConsecutiveFailedSearches()
    {
        Search(Broken, 4);
        Assert.False(_circuit.IsProbeDue);
        Search(Late, 1);
        Assert.True(_circuit.IsProbeDue);
        Assert.True(_circuit.IsClosed);
    }

    [Fact]
    public void AsksForNoProbe_WhenManyObjectsOfOneStudyFail()
    {
        for (var i = 0; i < 100; i++) _circuit.Record(Broken, FailureScope.Study, Uid.Parse("1.2.1"));
        Assert.False(_circuit.IsProbeDue);
        Assert.True(_circuit.IsClosed);
    }

    [Fact]
    public void AsksForAProbe_WhenObjectsOfSeveralStudiesFail()
    {
        for (var i = 0; i < 4; i++) _circuit.Record(Late, FailureScope.Study, Uid.Parse("1.2.1"));
        _circuit.Record(Late, FailureScope.Study, Uid.Parse("1.2.2"));
        Assert.True(_circuit.IsProbeDue);
    }

    [Fact]
    public void AsksForAProbeAndStaysClosed_WhenPrefetchesFail()
    {
        for (var i = 0; i < 2; i++) _circuit.Record(NoConnection, FailureScope.Prefetch, Uid.Parse($"1.2.{i}"));
        Assert.False(_circuit.IsProbeDue);
        for (var i = 0; i < 100; i++) _circuit.Record(NoConnection, FailureScope.Prefetch, Uid.Parse($"1.2.{i}"));
        Assert.True(_circuit.IsProbeDue);
        Assert.True(_circuit.IsClosed);
        Probe(null);
        Assert.False(_circuit.IsProbeDue);
        Assert.Empty(_changes);
    }

    [Fact]
    public void Opens_WhenTheProbeFails()
    {
        Search(Broken, 5);
        Probe(Late);
        Assert.False(_circuit.IsClosed);
        Assert.Equal(Late, _circuit.Cause);
        Assert.Equal([CircuitState.Open], _changes);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(BackendError.Overloaded)]
    [InlineData(BackendError.Refused)]
    public void StaysClosedAndResetsTheCount_WhenTheProbeIsAnswered(BackendError? error)
    {
        Search(Broken, 5);
        Probe(error is { } e ? new("east", e, "answered") : null);
        Assert.False(_circuit.IsProbeDue);
        Search(Broken, 4);
        Assert.False(_circuit.IsProbeDue);
        Assert.Empty(_changes);
    }

    [Fact]
    public void Closes_WhenAProbeIsAnsweredAfterTheBreak()
    {
        Fail(5);
        Probe(null);
        Assert.False(_circuit.IsClosed);
        Assert.False(_circuit.IsProbeDue);

        _time.Advance(TimeSpan.FromSeconds(1.1));
        Assert.True(_circuit.IsProbeDue);
        // A request sent before the circuit opened decides nothing.
        _circuit.Record(null, FailureScope.Search);
        Assert.False(_circuit.IsClosed);
        Probe(null);

        Assert.True(_circuit.IsClosed);
        Assert.Equal([CircuitState.Open, CircuitState.Closed], _changes);
        Fail(4);
        Assert.True(_circuit.IsClosed);
    }

    [Fact]
    public void LengthensTheBreak_WhileProbesFail()
    {
        Fail(5);
        var breaks = new List<int>();
        for (var probes = 0; probes < 6; probes++)
        {
            var seconds = 0;
            for (; !_circuit.IsProbeDue; seconds++) _time.Advance(TimeSpan.FromSeconds(1));
            breaks.Add(seconds);
            Probe(NoConnection);
        }
        Assert.Equal(breaks.Order(), breaks);
        Assert.InRange(breaks[0], 1, 2);
        Assert.InRange(breaks[^1], 5, 6);
        Assert.Equal([CircuitState.Open], _changes);
    }

    private void Fail(int times)
    {
        for (var i = 0; i < times; i++) _circuit.Record(NoConnection, FailureScope.Study, Uid.Parse("1.2.1"));
    }

    private void Search(BackendFailure failure, int times)
    {
        for (var i = 0; i < times; i++) _circuit.Record(failure, FailureScope.Search);
    }

    private void Probe(BackendFailure? failure) => _circuit.Record(failure, FailureScope.Probe);
}
