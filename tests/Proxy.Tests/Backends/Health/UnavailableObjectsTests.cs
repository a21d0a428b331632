using Microsoft.Extensions.Time.Testing;
using Proxy.Backends;
using Proxy.Backends.Health;
using Proxy.Dicom;
using Xunit;

namespace Proxy.Tests.Backends.Health;

public class UnavailableObjectsTests
{
    private static readonly BackendFailure Denied = new("east", BackendError.NotInThisForm, "status 500");

    private readonly FakeTimeProvider _time = new();

    private readonly UnavailableObjects _objects;

    public UnavailableObjectsTests() => _objects = new(_time);

    [Fact]
    public void RemembersADenial_PerBackendObjectAndForm()
    {
        _objects.Add("east", Frame(1), Denied);
        Assert.Equal(Denied, _objects.Find("east", Frame(1))!.Value.Failure);
        Assert.Null(_objects.Find("west", Frame(1)));
        Assert.Null(_objects.Find("east", Frame(2)));
        Assert.Null(_objects.Find("east", Frame(1) with { Form = "image/jpeg" }));
    }

    [Fact]
    public void Forgets_AfterThirtySeconds()
    {
        _objects.Add("east", Frame(1), Denied);
        _time.Advance(TimeSpan.FromSeconds(29));
        Assert.NotNull(_objects.Find("east", Frame(1)));
        _objects.Add("east", Frame(1), null);
        _time.Advance(TimeSpan.FromSeconds(29));
        _objects.Add("east", Frame(2), null);
        Assert.Null(_objects.Find("east", Frame(1))!.Value.Failure);
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Null(_objects.Find("east", Frame(1)));
    }

    [Fact]
    public void RemovesTheOldest_WhenItIsFull()
    {
        for (var frame = 1; frame <= UnavailableObjects.MaxEntries + 5; frame++) _objects.Add("east", Frame(frame), Denied);
        Assert.Null(_objects.Find("east", Frame(5)));
        Assert.NotNull(_objects.Find("east", Frame(6)));
    }

    [Fact]
    public void ForgetsABackend()
    {
        _objects.Add("east", Frame(1), Denied);
        _objects.RemoveBackend("east");
        Assert.Null(_objects.Find("east", Frame(1)));
    }

    [Fact]
    public void TroubledStudies_ExpireAndAreBounded()
    {
        var troubled = new FailedStudies(TimeSpan.FromSeconds(60));
        var now = _time.GetUtcNow();
        for (var i = 0; i < 5000; i++) troubled.Add(Uid.Parse($"1.2.{i}"), now + TimeSpan.FromMilliseconds(i));
        Assert.True(troubled.Has(Uid.Parse("1.2.4999"), now));
        Assert.True(troubled.Has(Uid.Parse("1.2.4999"), now + TimeSpan.FromSeconds(64)));
        Assert.False(troubled.Has(Uid.Parse("1.2.4999"), now + TimeSpan.FromSeconds(65)));
        Assert.InRange(Enumerable.Range(0, 5000).Count(i => troubled.Has(Uid.Parse($"1.2.{i}"), now)), 1, FailedStudies.MaxEntries);
    }

    private static UnavailableObject Frame(int number) => new($"studies/1.2/series/1.2.3/instances/1.2.3.4/frames/{number}", "*/*");
}
