using Proxy.Backends;
using Xunit;

namespace Proxy.Tests.Backends;

/// <summary>What is configured now: in its order, and swapped whole.</summary>
public class BackendSetTests
{
    private readonly BackendSet _set = new([Of("west", 2), Of("north", 1), Of("east", 1)]);

    [Fact]
    public void ThePreferredComesFirst_ThenByName() => Assert.Equal(["east", "north", "west"], _set.All.Select(b => b.Name));

    [Fact]
    public void AllAsOneIsTheSame_UntilOthersAreSet()
    {
        var before = _set.AsOne;
        Assert.True(before.IsAll);
        Assert.Equal("/dicomweb", before.Path);
        Assert.Same(before, _set.AsOne);

        Assert.Equal(["east", "north"], _set.Set([Of("west", 1), Of("south", 2)]).Order());

        Assert.Equal(["west", "south"], _set.AsOne.Backends.Select(b => b.Name));
        Assert.Equal(["east", "north", "west"], before.Backends.Select(b => b.Name));
        Assert.Null(_set.Find("east"));
        Assert.Equal(1, _set.PreferenceOf("west"));
    }

    private static BackendOptions Of(string name, int preference) => new(name, new($"http://{name}/dicom-web"), preference, TimeSpan.FromSeconds(1), 1, Compression.Identity, null, false, false);
}
