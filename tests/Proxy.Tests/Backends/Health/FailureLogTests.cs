using Microsoft.Extensions.Time.Testing;
using Proxy.Backends;
using Proxy.Backends.DicomWeb;
using Proxy.Backends.Health;
using Proxy.Tests.Walks;
using Xunit;

namespace Proxy.Tests.Backends.Health;

public sealed class FailureLogTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();

    private readonly LogLines _lines = new();

    private readonly FailureLog _log;

    public FailureLogTests() => _log = new(_time, _lines.CreateLogger("test"));

    public void Dispose()
    {
        _log.Dispose();
        _lines.Dispose();
    }

    [Fact]
    public void LogsOneLineASecondAndTheCount_WhenManyRequestsFail()
    {
        for (var i = 0; i < 1000; i++) Fail("east", BackendError.TimedOut);
        Assert.Contains(
            "Backend east did not answer studies: no answer in time, detail. Check the load of the PACS", Assert.Single(_lines.All));

        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(2, _lines.All.Count);
        Assert.Contains("Backend east failed 999 more times within a second: no answer in time", _lines.All.Last());

        Fail("east", BackendError.TimedOut);
        _time.Advance(TimeSpan.FromSeconds(10));
        Assert.Equal(3, _lines.All.Count);
    }

    [Fact]
    public void LogsBackendsAndErrorsSeparately()
    {
        Fail("east", BackendError.TimedOut);
        Fail("west", BackendError.TimedOut);
        Fail("east", BackendError.BadAnswer);
        Assert.Equal(3, _lines.All.Count);
    }

    private void Fail(string backend, BackendError error) =>
        _log.Write(new(backend, error, "detail"), new BackendRequest("studies?limit=1", "*/*").LogPath);
}
