using Microsoft.Extensions.Logging.Abstractions;
using Proxy.Admin;
using Proxy.Backends;
using Proxy.Dicom;
using Proxy.Events;
using Proxy.Metadata;
using Proxy.Tests.Backends;
using Proxy.Tests.Metadata;
using Xunit;
using static Proxy.Tests.Metadata.DicomMetadataStoreTests;

namespace Proxy.Tests.Admin;

public sealed class StoreViewTests
{
    private static readonly SeriesPath OfEast = new(Uid.Parse("1.2"), Uid.Parse("1.2.1"));
    private static readonly SeriesPath OfWest = new(Uid.Parse("1.2"), Uid.Parse("1.2.2"));
    private static readonly SeriesPath OnlyOfWest = new(Uid.Parse("1.3"), Uid.Parse("1.3.1"));

    private readonly DicomMetadataStore _store = StoreEventTests.Make(new(NullLogger<EventLog>.Instance));

    public StoreViewTests()
    {
        _store.AddInstances("east", [Instance("1.2", "1.2.1", "1.2.1.1")]);
        _store.AddInstances("west", [Instance("1.2", "1.2.2", "1.2.2.1"), Instance("1.3", "1.3.1", "1.3.1.1")]);
    }

    [Fact]
    public async Task ShowsEverything_WhenTheAccessIncludesAllBackends()
    {
        var view = View(AccessTests.All);
        Assert.Equal(["1.2: east west", "1.3: west"], await ReadAsync(view));
        Assert.Equal("west", view.FindHolder(OfWest)?.Backend);
        Assert.NotNull(view.FindStudy(OnlyOfWest.Study));
        Assert.Equal("west", view.FindInstance(First(OnlyOfWest))?.Backend);
    }

    [Fact]
    public async Task HidesTheOtherBackend_WhenTheAccessIsToOne()
    {
        var view = View(AccessTests.East);
        Assert.Equal(["1.2: east"], await ReadAsync(view));
        Assert.Equal("east", view.FindHolder(OfEast)?.Backend);
        Assert.NotNull(view.FindInstance(First(OfEast)));
        Assert.Null(view.FindHolder(OfWest));
        Assert.Null(view.FindInstance(First(OfWest)));
        Assert.Null(view.FindStudy(OnlyOfWest.Study));
        Assert.Null(view.FindInstance(First(OnlyOfWest)));
    }

    private StoreView View(Access access) => new(_store, new([.. AccessTests.All.Backends]), access);

    private static InstancePath First(SeriesPath path) => new(path.Study, path.Series, Uid.Parse(path.Series + ".1"));

    private static async Task<List<string>> ReadAsync(StoreView view) =>
        await view.ReadStudiesAsync(CancellationToken.None).Select(s => $"{s.Uid}: {string.Join(' ', s.SeriesLists.Keys)}").ToListAsync();
}
