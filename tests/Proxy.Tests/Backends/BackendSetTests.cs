using Proxy.Backends;
using Xunit;

namespace Proxy.Tests.Backends;

public class BackendSetTests
{
    private readonly BackendSet _set = new([Create("west", 2), Create("north", 1), Create("east", 1)]);

    [Fact]
    public void OrdersBackendsByPreference_ThenByName() => Assert.Equal(["east", "north", "west"], _set.All.Select(b => b.Name));

    [Fact]
    public void ReturnsTheSameScope_UntilTheBackendsChange()
    {
        var before = _set.AsOne;
        Assert.True(before.IsAll);
        Assert.Equal("/dicomweb", before.Path);
        Assert.Same(before, _set.AsOne);

        Assert.Equal(["east", "north"], _set.Set([Create("west", 1), Create("south", 2)]).Order());

        Assert.Equal(["west", "south"], _set.AsOne.Backends.Select(b => b.Name));
        Assert.Equal(["east", "north", "west"], before.Backends.Select(b => b.Name));
        Assert.Null(_set.Find("east"));
        Assert.Equal(1, _set.GetPreference("west"));
    }

    [Fact]
    public void FindsTheNameOfAnIdentity_IgnoringCase()
    {
        var identity = Set("east", "http://a/dicom-web").FindIdentity("EAST")!;
        Assert.Equal("East", Set("East", "http://a/dicom-web").FindName(identity));
    }

    [Fact]
    public void GivesAnotherIdentity_WhenTheAddressChanges()
    {
        var identity = Set("east", "http://a/dicom-web").FindIdentity("east")!;
        Assert.Null(Set("east", "http://b/dicom-web").FindName(identity));
        Assert.NotEqual(identity, Set("east", "http://b/dicom-web").FindIdentity("east"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("east")]
    [InlineData("west@0")]
    public void FindsNothing_WhenTheBackendIsNotConfigured(string identity)
    {
        Assert.Null(Set("east", "http://a/dicom-web").FindName(identity));
        Assert.Null(Set("east", "http://a/dicom-web").FindIdentity("west"));
    }

    private static BackendSet Set(string name, string address) => new([Create(name, 1) with { Address = new(address) }]);

    private static BackendOptions Create(string name, int preference) =>
        new(name, new($"http://{name}/dicom-web")) { Preference = preference };
}
