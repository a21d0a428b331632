using Proxy.Disk;

namespace Proxy.Cache.OnDisk;

/// <summary>The removal of entries, series and studies.</summary>
internal sealed partial class EntryFolder
{
    /// <summary>Deletes the selected entries and corrects the index.</summary>
    /// <exception cref="IOException">The disk cannot be changed.</exception>
    public void Remove(Removal removal)
    {
        if (removal is { Backend: null, Study: null })
        {
            _index.Clear();
            Delete(_folder.GetPath("entries"));
            CacheFolder.CreateFolder(_folder.GetPath("entries"));
            _index.Scrub(isEmpty: true);
        }
        else if (removal is { Backend: { } all, Study: null })
        {
            foreach (var seriesFolder in _index.GetFoldersOfBackend(all)) Discard(seriesFolder);
            _index.Scrub(isEmpty: false);
        }
        else if (removal is { Backend: null, Study: { } study })
        {
            foreach (var seriesFolder in _index.GetFoldersOfStudy(study.ToString())) _index.Remove(seriesFolder);
            var path = _folder.GetPath("entries", EntryFile.GetStudyFolder(study.ToString()));
            if (Directory.Exists(path)) Delete(path);
            _index.Scrub(isEmpty: false);
        }
        else if (removal is { Backend: { } owner, Study: { } whole, Series: null })
        {
            var path = _folder.GetPath("entries", EntryFile.GetStudyFolder(whole.ToString()));
            if (!Directory.Exists(path)) return;
            foreach (var series in Directory.EnumerateDirectories(path))
            {
                // A series folder holds entries of one backend only.
                var head = Directory.EnumerateFiles(series).Select(FindHead).FirstOrDefault(found => found is not null);
                if (head?.Key.Backend == owner) Discard(Path.Join(EntryFile.GetStudyFolder(whole.ToString()), Path.GetFileName(series)));
            }
        }
        else if (removal is { Backend: { } backend, Study: { } of, Series: { } series })
        {
            var seriesFolder = EntryFile.GetSeriesFolder(backend, of.ToString(), series.ToString());
            var path = _folder.GetPath("entries", seriesFolder);
            if (!Directory.Exists(path)) return;
            if (removal is { Instance: null, Instances: null })
            {
                Discard(seriesFolder);
                return;
            }
            foreach (var file in Directory.EnumerateFiles(path))
            {
                if (FindHead(file) is { } head && removal.Matches(head.Key)) DeleteFile(file);
            }
            _index.Remove(seriesFolder);
            Recount(seriesFolder);
            _index.Count();
        }
        else
        {
            throw new ArgumentException("Not a removal of all, of a backend, of a study, of a series or of an instance.", nameof(removal));
        }
    }

    /// <summary>Deletes a series: its row first, then its folder, which vanishes at once.</summary>
    public void Discard(string seriesFolder)
    {
        _index.Remove(seriesFolder);
        var path = _folder.GetPath("entries", seriesFolder);
        if (!Directory.Exists(path)) return;
        Delete(path);
        DeleteIfEmpty(Path.GetDirectoryName(path)!);
    }

    /// <summary>Deletes the entries of backends that are no longer configured.</summary>
    public void RemoveUnconfigured()
    {
        foreach (var share in _index.Shares.Where(s => _nameOf(s.Backend) is null).ToList())
        {
            foreach (var seriesFolder in _index.GetFoldersOfBackend(share.Backend)) Discard(seriesFolder);
        }
    }

    /// <summary>Deletes the series whose oldest entry is from before a time.</summary>
    public void RemoveOlder(DateTimeOffset before)
    {
        while (_index.GetFoldersOlder(before, 256) is { Count: > 0 } folders)
        {
            foreach (var seriesFolder in folders) Discard(seriesFolder);
            if (_index.HasFailedRemoval) return;
            _index.Scrub(isEmpty: false);
        }
    }

    private void DeleteFile(string path)
    {
        File.Delete(path);
        _open.CloseBelow(path);
    }

    /// <summary>Moves the folder to tmp/ before deleting it: the deletion may take long, and the folder vanishes at once.</summary>
    private void Delete(string path)
    {
        var temporary = NextTemporary();
        Directory.Move(path, temporary);
        _open.CloseBelow(path);
        Directory.Delete(temporary, recursive: true);
    }
}
