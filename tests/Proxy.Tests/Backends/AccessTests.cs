using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Metadata;
using Xunit;

namespace Proxy.Tests.Backends;

public sealed class AccessTests
{
    /// <summary>Access to the backend "east" alone.</summary>
    internal static readonly Access East = new("east", [Create("east")]);

    internal static readonly Access All = new("", [Create("east"), Create("west")]);

    [Theory]
    [InlineData("east", true)]
    [InlineData("west", false)]
    [InlineData("", false)]
    [InlineData(null, false)]
    public void SeesOnlyWhatConcernsItsBackend(string? backend, bool isSeen)
    {
        Assert.Equal(isSeen, East.Sees(backend));
        Assert.True(All.Sees(backend));
    }

    [Fact]
    public void SeesABackendAddedLater_WhenItIncludesAll() => Assert.True(All.Sees("north"));

    [Fact]
    public void HidesTheSeriesListsOfOtherBackends()
    {
        var study = new Study(Uid.Parse("1.2")).With(new SeriesList("east")).With(new SeriesList("west"));
        Assert.Equal(["east"], East.Restrict(study).SeriesLists.Keys);
        Assert.Same(study, All.Restrict(study));
    }

    internal static BackendOptions Create(string name) =>
        new(name, new($"http://{name}/dicom-web")) { Preference = 1 };
}
