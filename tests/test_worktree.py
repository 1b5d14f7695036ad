"""Files on disk next to the index: what really differs, and how it is saved."""

import os
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from pathlib import Path

import pytest
from support.repo import Repo

from twoagent_hook import changes, git, worktree
from twoagent_hook.environment import Environment
from twoagent_hook.git import Workspace

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "0" * 64 + "\nsize 5000000\n"


@contextmanager
def workspace_of(repo: Repo, **variables: str) -> Iterator[Workspace]:
    environment = Environment(repo.environment | variables)
    with chdir(repo.root):
        location = git.locate(environment)
    with Workspace(location, environment) as workspace:
        workspace.trees()
        yield workspace


def differing(repo: Repo, **variables: str) -> tuple[str, ...]:
    index = repo.root / ".git" / "index"
    before = (index.stat().st_mtime_ns, index.read_bytes()) if index.exists() else None
    with workspace_of(repo, **variables) as workspace:
        found = worktree.differing(workspace)
    assert ((index.stat().st_mtime_ns, index.read_bytes()) if index.exists() else None) == before
    return found


def rescue(repo: Repo) -> Path | None:
    with workspace_of(repo) as workspace:
        path = worktree.rescue(workspace)
    return None if path is None else Path(path)


def age(repo: Repo, path: str, seconds: int = 1000) -> None:
    """Give a file another time, so that git has to look into it."""
    full = repo.root / path
    about = full.lstat()
    os.utime(full, (about.st_mtime - seconds, about.st_mtime - seconds), follow_symlinks=False)


# --- what differs -------------------------------------------------------------------------------------------


def test_nothing_differs_in_a_clean_checkout(repo: Repo) -> None:
    assert differing(repo) == ()


def test_nothing_differs_where_all_is_staged(repo: Repo) -> None:
    repo.stage("app.py", "x = 1\n")
    repo.stage("new.py", "y = 1\n")
    assert differing(repo) == ()


def test_a_time_alone_is_no_difference(repo: Repo) -> None:
    age(repo, "app.py")
    assert repo.git("diff-files", "--name-only") == "app.py"  # git itself would have to look
    assert differing(repo) == ()


def test_a_file_that_was_written_again_is_no_difference(repo: Repo) -> None:
    content = repo.content("app.py")
    (repo.root / "app.py").unlink()
    repo.write("app.py", content)
    age(repo, "app.py")
    assert differing(repo) == ()


def test_an_edit_is_a_difference(repo: Repo) -> None:
    repo.write("app.py", "x = 1\n")
    assert differing(repo) == ("app.py",)


def test_an_edit_on_top_of_what_is_staged_is_a_difference(repo: Repo) -> None:
    repo.stage("app.py", "x = 1\n")
    repo.write("app.py", "x = 22\n")
    assert differing(repo) == ("app.py",)


def test_an_edit_of_the_same_size_in_the_same_second_is_a_difference(repo: Repo) -> None:
    """Size and time are all that an index knows of a file: git looks into each that is no older than the index."""
    path = repo.root / "app.py"
    for _ in range(9):
        time.sleep(1 - time.time() % 1)
        repo.stage("app.py", "x = 1\n")
        staged = int(path.stat().st_ctime)
        path.write_bytes(b"x = 2\n")
        if staged == int(path.stat().st_ctime) == int((repo.root / ".git" / "index").stat().st_mtime):
            break
    time.sleep(1.1)
    assert repo.git("diff-files", "--name-only") == "app.py"
    assert differing(repo) == ("app.py",)


@pytest.mark.parametrize(
    "name", ["deleted.py", "Ünï/deleted.py", "new\nline.py", "caf\udce9.py", "-dash.py", '"quoted".py']
)
def test_a_deleted_file_is_a_difference(repo: Repo, name: str) -> None:
    repo.write(name, "x = 1\n")
    repo.commit_all()
    os.unlink(os.path.join(os.fsencode(repo.root), changes.encode(name)))
    assert differing(repo) == (name,)


def test_a_folder_in_the_place_of_a_file_is_a_difference(repo: Repo) -> None:
    (repo.root / "app.py").unlink()
    repo.write("app.py/inside", "x = 1\n")
    assert differing(repo) == ("app.py",)


def test_a_mode_alone_is_no_difference_of_content(repo: Repo) -> None:
    (repo.root / "app.py").chmod(0o755)
    assert differing(repo) == ()


def test_an_untracked_file_is_no_difference(repo: Repo) -> None:
    repo.write("untracked.py", "x = 1\n")
    assert differing(repo) == ()


@pytest.mark.parametrize("target", ["app.py", "elsewhere"])
def test_a_link_differs_where_its_target_does(repo: Repo, target: str) -> None:
    link = repo.root / "link"
    link.symlink_to("app.py")
    repo.commit_all()
    link.unlink()
    link.symlink_to(target)
    age(repo, "link")
    assert differing(repo) == (() if target == "app.py" else ("link",))


def test_a_link_in_the_place_of_a_file_is_a_difference(repo: Repo) -> None:
    (repo.root / "app.py").unlink()
    (repo.root / "app.py").symlink_to("/etc/passwd")
    assert differing(repo) == ("app.py",)


def test_a_pipe_in_the_place_of_a_file_is_a_difference_and_is_not_opened(repo: Repo) -> None:
    (repo.root / "app.py").unlink()
    os.mkfifo(repo.root / "app.py")
    assert differing(repo) == ("app.py",)


def test_a_submodule_that_moved_on_is_no_difference(repo: Repo, tmp_path: Path) -> None:
    """Its content is not part of the change."""
    sub = Repo(repo.root / "sub", repo.environment)
    sub.write("x.py", "x = 1\n")
    sub.commit_all()
    repo.git("add", "sub")
    repo.git("commit", "-qm", "with a submodule")
    sub.write("x.py", "x = 2\n")
    sub.commit_all()
    assert repo.git("diff-files", "--name-only") == "sub"
    assert differing(repo) == ()


@pytest.mark.parametrize("way", ["setting", "attribute"])
def test_a_checkout_with_windows_line_ends_is_no_difference(repo: Repo, way: str) -> None:
    if way == "setting":
        repo.git("config", "core.autocrlf", "true")
    else:
        repo.write(".gitattributes", "*.py text eol=crlf\n")
        repo.commit_all()
    (repo.root / "app.py").unlink()
    repo.git("checkout", "app.py")
    assert b"\r\n" in repo.content("app.py")
    age(repo, "app.py")
    assert differing(repo) == ()


def test_an_edit_in_a_checkout_with_windows_line_ends_is_a_difference(repo: Repo) -> None:
    repo.git("config", "core.autocrlf", "true")
    (repo.root / "app.py").unlink()
    repo.git("checkout", "app.py")
    repo.write("app.py", repo.content("app.py") + b"evil()\r\n")
    assert differing(repo) == ("app.py",)


def test_a_file_that_is_kept_in_another_encoding_on_disk_is_no_difference(repo: Repo) -> None:
    repo.write(".gitattributes", "*.txt text working-tree-encoding=UTF-16LE\n")
    repo.write("x.txt", "Ünï\n".encode("utf-16-le"))
    repo.commit_all()
    assert repo.git("cat-file", "blob", "HEAD:x.txt") == "Ünï"
    age(repo, "x.txt")
    assert differing(repo) == ()


def test_a_file_with_an_expanded_keyword_is_no_difference(repo: Repo) -> None:
    repo.write(".gitattributes", "*.txt ident\n")
    repo.write("x.txt", "$Id$\n")
    repo.commit_all()
    (repo.root / "x.txt").unlink()
    repo.git("checkout", "x.txt")
    assert repo.content("x.txt") != b"$Id$\n"
    age(repo, "x.txt")
    assert differing(repo) == ()


LFS = "*.bin filter=lfs diff=lfs merge=lfs -text\n"


@pytest.mark.parametrize("place", [".gitattributes", ".git/info/attributes"])
def test_a_file_that_is_kept_elsewhere_is_no_difference(repo: Repo, place: str) -> None:
    """The index holds a pointer of Git LFS, and the disk what it points to: only a filter could compare them."""
    repo.write("model.bin", POINTER)
    repo.commit_all()
    repo.write(place, LFS)
    repo.write("model.bin", b"\0" * 5000)
    assert differing(repo) == ()
    repo.write("app.py", "edited()\n")
    assert differing(repo) == ("app.py",)


def test_a_filter_is_never_run(repo: Repo, tmp_path: Path) -> None:
    program = tmp_path / "program.sh"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'MARK'}\ncat\n")
    program.chmod(0o755)
    repo.write("x.txt", "one\n")
    repo.commit_all()
    repo.stage(".gitattributes", "*.txt filter=foreign diff=foreign\n*.py diff=foreign\n")
    for key in ("filter.foreign.clean", "filter.foreign.smudge", "diff.foreign.textconv", "diff.foreign.command"):
        repo.git("config", key, str(program))
    repo.git("config", "filter.foreign.required", "true")
    repo.git("config", "core.fsmonitor", str(program))
    (tmp_path / "MARK").unlink(missing_ok=True)
    age(repo, "app.py")
    age(repo, "x.txt")
    assert differing(repo) == ()
    repo.write("app.py", "edited()\n")
    assert differing(repo) == ("app.py",)
    assert rescue(repo) is not None
    assert not (tmp_path / "MARK").exists()


def test_a_split_index_is_compared_as_well(repo: Repo) -> None:
    repo.git("update-index", "--split-index")
    assert differing(repo) == ()
    repo.write("app.py", "edited()\n")
    assert differing(repo) == ("app.py",)


@pytest.mark.parametrize("sparse_index", ["--sparse-index", "--no-sparse-index"])
def test_what_a_sparse_checkout_leaves_out_is_no_difference(repo: Repo, sparse_index: str) -> None:
    for folder in ("here", "there"):
        repo.write(f"{folder}/file.py", f"{folder}\n")
    repo.commit_all()
    repo.git("sparse-checkout", "set", "--cone", sparse_index, "here")
    assert differing(repo) == ()
    repo.write("here/file.py", "edited()\n")
    assert differing(repo) == ("here/file.py",)


def test_a_repository_of_long_ids_is_compared(tmp_path: Path, clean_environment: dict[str, str]) -> None:
    repo = Repo(tmp_path / "long", clean_environment, object_format="sha256")
    repo.write("app.py", "x = 1\n")
    repo.write("b.py", "x = 1\n")
    repo.commit_all()
    age(repo, "app.py")
    repo.write("b.py", "edited()\n")
    assert differing(repo) == ("b.py",)


def test_the_index_that_a_variable_names_is_compared(repo: Repo) -> None:
    other = str(repo.root / ".git" / "other-index")
    repo.write("app.py", "edited()\n")
    shutil.copy2(repo.root / ".git" / "index", other)
    repo.git("add", "app.py", GIT_INDEX_FILE=other)
    assert differing(repo, GIT_INDEX_FILE=other) == ()
    assert differing(repo) == ("app.py",)


def test_an_empty_repository_has_no_difference(empty_repo: Repo) -> None:
    empty_repo.write("app.py", "x = 1\n")
    assert differing(empty_repo) == ()


def test_an_intention_to_add_is_no_difference(repo: Repo) -> None:
    repo.write("later.py", "x = 1\n")
    repo.git("add", "--intent-to-add", "later.py")
    assert differing(repo) == ()
    repo.write("app.py", "edited()\n")
    assert differing(repo) == ("app.py",)


# --- what is saved ------------------------------------------------------------------------------------------


def restored(repo: Repo, patch: Path) -> None:
    """Roll everything back to the index, as a framework does, and take the patch."""
    repo.git("checkout", "--", ".")
    repo.git("apply", str(patch))


def test_nothing_is_saved_where_nothing_differs(repo: Repo) -> None:
    age(repo, "app.py")
    (repo.root / "app.py").chmod(0o755)
    assert rescue(repo) is None
    assert not (repo.root / ".git" / "twoagent-hook").exists()


EDITS: dict[str, tuple[bytes, bytes]] = {
    "text": (b"one\ntwo\nthree\n", b"one\n2\nthree\n"),
    "binary": (bytes(range(256)) * 20, bytes(range(255, -1, -1)) * 20),
    "nul": (b"one\0two\n", b"one\0three\n"),
    "latin-1": (b"caf\xe9\n", b"th\xe9\n"),
    "no-line-feed": (b"one", b"two"),
    "line-feed-added": (b"one", b"one\n"),
    "windows-line-ends": (b"one\r\ntwo\r\n", b"one\r\n2\r\n"),
    "emptied": (b"one\n", b""),
    "filled": (b"", b"one\n"),
    "trailing-blanks": (b"one \n", b"one \t \n\n\n"),
    "large": (b"line\n" * 100_000, b"line\n" * 50_000 + b"edited\n" + b"line\n" * 50_000),
}


@pytest.mark.parametrize("name", ["edited.py", "Ünï/new\nline.py", "caf\udce9.py", "-dash b/x.py"])
@pytest.mark.parametrize("edit", list(EDITS))
def test_an_edit_is_saved_as_a_patch_that_brings_it_back(repo: Repo, edit: str, name: str) -> None:
    if name != "edited.py" and edit != "binary":
        name = "edited.py"
    before, after = EDITS[edit]
    repo.write(name, before)
    repo.commit_all()
    repo.write(name, after)
    patch = rescue(repo)
    assert patch is not None
    restored(repo, patch)
    full = os.path.join(os.fsencode(repo.root), changes.encode(name))
    assert Path(os.fsdecode(full)).read_bytes() == after


def test_an_edit_on_top_of_what_is_staged_is_saved_against_the_index(repo: Repo) -> None:
    repo.stage("app.py", "staged = 1\n")
    repo.write("app.py", "staged = 1\nedited = 2\n")
    patch = rescue(repo)
    assert patch is not None
    assert b"+staged" not in patch.read_bytes()
    restored(repo, patch)
    assert repo.read("app.py") == "staged = 1\nedited = 2\n"


def test_a_deletion_is_saved(repo: Repo) -> None:
    (repo.root / "app.py").unlink()
    patch = rescue(repo)
    assert patch is not None
    restored(repo, patch)
    assert not (repo.root / "app.py").exists()


def test_several_edits_are_saved_together(repo: Repo) -> None:
    repo.write("b.bin", bytes(range(256)))
    repo.write("c.py", "c\n")
    repo.commit_all()
    repo.write("app.py", "edited()\n")
    repo.write("b.bin", bytes(range(255, -1, -1)))
    (repo.root / "c.py").unlink()
    patch = rescue(repo)
    assert patch is not None
    restored(repo, patch)
    assert repo.read("app.py") == "edited()\n"
    assert repo.content("b.bin") == bytes(range(255, -1, -1))
    assert not (repo.root / "c.py").exists()


@pytest.mark.parametrize(
    "setting",
    [
        "diff.noprefix",
        "diff.mnemonicPrefix",
        "color.ui=always",
        "diff.external=false",
        "apply.whitespace=error",
        "diff.context=0",
    ],
)
def test_no_setting_makes_a_patch_that_does_not_apply(repo: Repo, setting: str) -> None:
    key, _, value = setting.partition("=")
    repo.write("app.py", "edited()  \n")
    repo.git("config", key, value or "true")
    patch = rescue(repo)
    repo.git("config", "--unset", "apply.whitespace", check=False)
    assert patch is not None
    restored(repo, patch)
    assert repo.read("app.py") == "edited()  \n"


def test_attributes_make_no_patch_that_does_not_apply(repo: Repo) -> None:
    repo.write(".gitattributes", "*.py -diff\n*.txt binary\n")
    repo.write("x.txt", "one\n")
    repo.commit_all()
    repo.write("app.py", "edited()\n")
    repo.write("x.txt", "two\n")
    patch = rescue(repo)
    assert patch is not None
    restored(repo, patch)
    assert (repo.read("app.py"), repo.read("x.txt")) == ("edited()\n", "two\n")


def test_an_edit_in_a_checkout_with_windows_line_ends_is_brought_back(repo: Repo) -> None:
    repo.write("other.py", "one\ntwo\n")
    repo.commit_all()
    repo.git("config", "core.autocrlf", "true")
    for name in ("app.py", "other.py"):
        (repo.root / name).unlink()
        repo.git("checkout", name)
    age(repo, "other.py")
    edited = repo.content("app.py") + b"edited()\r\n"
    repo.write("app.py", edited)
    patch = rescue(repo)
    assert patch is not None
    restored(repo, patch)
    assert repo.content("app.py") == edited
    assert repo.content("other.py") == b"one\r\ntwo\r\n"


def test_a_patch_holds_only_what_really_differs(repo: Repo) -> None:
    """What is kept elsewhere may be gigabytes, and its content has no place in a patch against a pointer."""
    repo.write("model.bin", POINTER)
    repo.commit_all()
    repo.write(".gitattributes", LFS)
    repo.write("model.bin", b"\0" * 5000)
    repo.write("app.py", "edited()\n")
    patch = rescue(repo)
    assert patch is not None
    assert b"app.py" in patch.read_bytes()
    assert b"model.bin" not in patch.read_bytes()


def test_a_patch_is_private_and_lies_in_the_git_folder(repo: Repo) -> None:
    repo.write("app.py", "edited()\n")
    patch = rescue(repo)
    assert patch is not None
    assert patch.parent == repo.root / ".git" / "twoagent-hook" / "rescued"
    assert stat.S_IMODE(patch.stat().st_mode) == 0o600
    assert stat.S_IMODE(patch.parent.stat().st_mode) == 0o700
    assert repo.git("status", "--porcelain") == " M app.py"


def test_a_second_patch_does_not_replace_the_first(repo: Repo) -> None:
    repo.write("app.py", "first()\n")
    first = rescue(repo)
    repo.write("app.py", "second()\n")
    try:
        second = rescue(repo)
    except OSError:
        second = None
    assert first is not None
    assert b"+first()" in first.read_bytes()
    assert second is None or b"+second()" in second.read_bytes()


def test_a_patch_of_a_worktree_lies_in_the_common_folder(repo: Repo, tmp_path: Path) -> None:
    repo.git("worktree", "add", "-q", str(tmp_path / "second"))
    second = Repo(tmp_path / "second", repo.environment, init=False)
    second.write("app.py", "edited()\n")
    with workspace_of(second) as workspace:
        path = worktree.rescue(workspace)
    assert path is not None
    assert Path(path).parent == repo.root / ".git" / "twoagent-hook" / "rescued"
    restored(second, Path(path))
    assert second.read("app.py") == "edited()\n"


# --- beside other hooks -------------------------------------------------------------------------------------


def test_a_commit_beside_hooks_that_changed_files_asks_nobody(repo: Repo) -> None:
    repo.policy('reviewers = ["rules"]\n')
    repo.stage("app.py", "x = 1\n")
    repo.write("app.py", "x = 2\n")
    made = repo.review(PRE_COMMIT="1")
    assert made["exit_code"] == 2
    assert "an earlier hook changed files (app.py)" in made["problem"]["what"]


def test_a_commit_beside_hooks_with_files_as_staged_is_judged(repo: Repo) -> None:
    repo.policy('reviewers = ["rules"]\n')
    repo.stage("app.py", "x = 1\n")
    age(repo, "app.py")
    made = repo.review(PRE_COMMIT="1")
    assert (made["problem"], made["exit_code"]) == (None, 0), made
