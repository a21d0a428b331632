using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Proxy.Operations;
using Xunit;

namespace Proxy.Tests.Operations;

public sealed class RecentWarningsTests : IDisposable
{
    private readonly FakeTimeProvider _time = new();

    private readonly RecentWarnings _warnings;

    private readonly ILogger _log;

    public RecentWarningsTests()
    {
        _warnings = new(_time);
        _log = _warnings.CreateLogger("Proxy.Test");
    }

    public void Dispose() => _warnings.Dispose();

    [Fact]
    public void ReadsTheNewestFirst_WithItsBackend()
    {
        _log.FolderReady("/cache");
        _log.SettingsUnused("A");
        _log.BackendChanged("east", "down");

        Assert.Equal([(2, "east"), (1, null)], _warnings.Read().Select(w => ((int)w.Id, w.Backend)));
        Assert.Equal("BackendChanged", _warnings.Read()[0].Event.Name);
    }

    [Fact]
    public void CountsConsecutiveOccurrences()
    {
        _log.BackendChanged("east", "down");
        _time.Advance(TimeSpan.FromMinutes(1));
        _log.BackendChanged("east", "down");

        var warning = Assert.Single(_warnings.Read());
        Assert.Equal((2, _time.GetUtcNow()), (warning.Count, warning.Time));
    }

    [Fact]
    public void DropsTheOldestAndShortensTexts()
    {
        for (var i = 0; i <= RecentWarnings.Capacity; i++) _log.SettingsUnused(i + new string('x', 10_000));
        _log.SettingsUnused("last");

        var all = _warnings.Read();
        Assert.Equal(RecentWarnings.Capacity, all.Length);
        Assert.Contains("last", all[0].Message);
        Assert.All(all, w => Assert.InRange(w.Message.Length, 1, RecentWarnings.MaxText + 1));
    }

    [Fact]
    public void RecordsTheTypeOfAnException_NeverItsText()
    {
        _log.UnhandledException(new InvalidOperationException("DOE^JANE"));

        var warning = Assert.Single(_warnings.Read());
        Assert.Equal((LogLevel.Error, "Unhandled exception (InvalidOperationException)"), (warning.Level, warning.Message));
    }

    [Fact]
    public void IgnoresOtherCategories()
    {
        _warnings.CreateLogger("Microsoft.AspNetCore.Server.Kestrel").SettingsUnused("GET /studies?PatientName=DOE");

        Assert.Empty(_warnings.Read());
    }
}
